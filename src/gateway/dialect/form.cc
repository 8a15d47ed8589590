#include "gateway/dialect/form.h"

#include <algorithm>
#include <optional>

#include "base/ascii.h"

namespace tidegate::dialect {
namespace {

constexpr std::string_view kType = "multipart/form-data";
constexpr std::size_t kBoundaryMax = 70;
constexpr std::size_t kPartsMax = 1000;
constexpr std::size_t kPartHeadMax = 8 * 1024;

tl::unexpected<Error> broken(std::string message) { return invalid("", "the form " + std::move(message)); }

// The value of a parameter in "...; name=value; ...". None if it is absent; empty if it is not plain:
// escaped, unfinished, or given twice.
std::optional<std::string_view> parameter(std::string_view text, std::string_view name) {
  std::optional<std::string_view> found;
  text.remove_prefix(std::min(text.find(';'), text.size()));
  while (!text.empty()) {
    text.remove_prefix(1);
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) break;
    const std::string_view key = ascii::trim(text.substr(0, equals));
    text = ascii::trim(text.substr(equals + 1));
    std::string_view value;
    if (text.starts_with('"')) {
      const std::size_t end = text.find('"', 1);
      if (end == std::string_view::npos) return std::string_view();
      value = text.substr(1, end - 1);
      if (value.find('\\') != std::string_view::npos) value = {};
      text = ascii::trim(text.substr(end + 1));
      if (!text.empty() && text.front() != ';') return std::string_view();
    } else {
      const std::size_t end = std::min(text.find(';'), text.size());
      value = ascii::trim(text.substr(0, end));
      text.remove_prefix(end);
    }
    // "name*" is another way to write the same parameter.
    if (key.size() == name.size() + 1 && key.back() == '*' &&
        ascii::equals_ignoring_case(key.substr(0, name.size()), name))
      return std::string_view();
    if (!ascii::equals_ignoring_case(key, name)) continue;
    if (found) return std::string_view();
    found = value;
  }
  return found;
}

bool fits_boundary(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("'()+_,-./:=? ").find(c) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= kBoundaryMax && text.back() != ' ' &&
         std::ranges::all_of(text, allowed);
}

// The value of Content-Disposition among a part's fields. Errors: a field that is no field.
Result<std::string_view> disposition_of(std::string_view head) {
  std::string_view found;
  while (!head.empty()) {
    const std::size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(end + 2, head.size()));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || line.find_first_of("\r\n") != std::string_view::npos ||
        line.front() == ' ' || line.front() == '\t')
      return broken("has a part with a field that cannot be read");
    if (!ascii::equals_ignoring_case(line.substr(0, colon), "content-disposition")) continue;
    if (!found.empty()) return broken("has a part with two Content-Dispositions");
    found = ascii::trim(line.substr(colon + 1));
  }
  return found;
}

class FormReader {
 public:
  FormReader(std::string_view body, std::string_view boundary)
      : body_(body), delimiter_("\r\n--" + std::string(boundary)) {}

  Result<BodyFacts> read() {
    const std::string_view first = std::string_view(delimiter_).substr(2);
    if (!body_.starts_with(first)) return broken("does not begin with its boundary");
    std::size_t at = first.size();
    for (std::size_t parts = 0; parts <= kPartsMax; ++parts) {
      const std::string_view rest = body_.substr(at);
      if (rest.starts_with("--")) return facts_;
      if (!rest.starts_with("\r\n")) return broken("has a boundary that goes on");
      const std::size_t end = body_.find(delimiter_, at);
      if (end == std::string_view::npos) return broken("has no closing boundary");
      if (Result<void> taken = take(at + 2, end); !taken) return tl::unexpected(taken.error());
      at = end + delimiter_.size();
    }
    return broken("has more than " + std::to_string(kPartsMax) + " parts");
  }

 private:
  // The part in [begin, end): fields, a blank line, the value.
  Result<void> take(std::size_t begin, std::size_t end) {
    const std::string_view part = body_.substr(begin, end - begin);
    const std::size_t blank = part.find("\r\n\r\n");
    if (blank == std::string_view::npos || blank > kPartHeadMax)
      return broken("has a part without fields, or with too long ones");
    const auto disposition = disposition_of(part.substr(0, blank));
    if (!disposition) return tl::unexpected(disposition.error());
    const auto name = parameter(*disposition, "name");
    if (!name || name->empty() || name->find('%') != std::string_view::npos)
      return broken("has a part whose name is missing or not plain");
    const Range value{begin + blank + 4, end};
    const std::string_view text = value.of(body_);
    if (*name == "stream") facts_.stream = text == "true" || text == "True" ? Flag::kTrue : Flag::kFalse;
    if (*name != "model") return {};
    if (facts_.has_model) return invalid("model", "appears more than once in the form");
    if (parameter(*disposition, "filename")) return invalid("model", "is a file; send it as text");
    if (text.empty() || text.size() > kModelBytesMax ||
        std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
      return invalid("model", "is empty, too long, or no plain text");
    facts_.model = text;
    facts_.has_model = true;
    facts_.model_token = value;
    return {};
  }

  std::string_view body_;
  std::string delimiter_;
  BodyFacts facts_;
};

}  // namespace

bool is_form(std::string_view content_type) {
  const std::string_view type = ascii::trim(content_type.substr(0, content_type.find(';')));
  return ascii::equals_ignoring_case(type, kType);
}

Result<BodyFacts> read_form(std::string_view content_type, std::string_view body) {
  const auto boundary = parameter(content_type, "boundary");
  if (!boundary || !fits_boundary(*boundary)) return broken("has no proper boundary in its Content-Type");
  return FormReader(body, *boundary).read();
}

}  // namespace tidegate::dialect
