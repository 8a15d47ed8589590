#include "resource/json_path.h"

#include <charconv>
#include <nlohmann/json.hpp>

namespace tidegate::resource {
namespace {

using Step = JsonPath::Step;
using Part = JsonPath::Part;
using Found = std::vector<const Json*>;

constexpr std::size_t kDepthMax = 20;  // of ranges in ranges, filters in filters

// Walks over the text from left to right. Parse errors carry the position.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<std::vector<Part>> parts(std::size_t depth) {
    std::vector<Part> out;
    while (at_ < text_.size()) {
      const std::size_t brace = std::min(text_.find('{', at_), text_.size());
      if (brace > at_) out.push_back({.text = std::string(text_.substr(at_, brace - at_))});
      at_ = brace;
      if (at_ == text_.size()) break;
      ++at_;
      blanks();
      if (word("end")) {
        if (depth == 0) return wrong("{end} without {range}");
        if (auto closed = close(); !closed) return tl::unexpected(closed.error());
        return out;
      }
      auto part = expression(depth);
      if (!part) return tl::unexpected(part.error());
      out.push_back(*std::move(part));
    }
    if (depth > 0) return wrong("{range} without {end}");
    return out;
  }

  Result<std::vector<Step>> path() {
    std::vector<Step> steps;
    if (peek() == '$' || peek() == '@') ++at_;
    while (at_ < text_.size()) {
      if (peek() == '.') {
        const bool descend = text_.substr(at_, 2) == "..";
        at_ += descend ? 2 : 1;
        if (peek() == '*') {
          ++at_;
          steps.push_back({.kind = Step::Kind::kAll});
          continue;
        }
        const std::string name = field();
        if (name.empty() && peek() == '[') continue;
        if (name.empty()) {
          // "{.}" is the whole.
          if (steps.empty() && !descend) break;
          return wrong("a field's name is missing");
        }
        steps.push_back({.kind = descend ? Step::Kind::kDescend : Step::Kind::kField, .name = name});
      } else if (peek() == '[') {
        auto step = subscript();
        if (!step) return tl::unexpected(step.error());
        steps.push_back(*std::move(step));
      } else {
        break;
      }
    }
    return steps;
  }

  bool done() const { return at_ == text_.size(); }
  tl::unexpected<Error> wrong(const std::string& what) const {
    return fail(Code::kInvalid, "jsonpath: " + what + " at character " + std::to_string(at_ + 1) + " of '" +
                                    std::string(text_) + "'");
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void blanks() {
    while (peek() == ' ') ++at_;
  }
  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return false;
    const char after = at_ + expected.size() < text_.size() ? text_[at_ + expected.size()] : '\0';
    if (after != ' ' && after != '}') return false;
    at_ += expected.size();
    return true;
  }
  Result<void> close() {
    blanks();
    if (peek() != '}') return wrong("a } is missing");
    ++at_;
    return {};
  }

  Result<Part> expression(std::size_t depth) {
    if (peek() == '"' || peek() == '\'') {
      auto literal = quoted();
      if (!literal) return tl::unexpected(literal.error());
      if (auto closed = close(); !closed) return tl::unexpected(closed.error());
      return Part{.text = *std::move(literal)};
    }
    const bool range = word("range");
    blanks();
    auto steps = path();
    if (!steps) return tl::unexpected(steps.error());
    if (auto closed = close(); !closed) return tl::unexpected(closed.error());
    Part part{.kind = range ? Part::Kind::kRange : Part::Kind::kPath, .path = *std::move(steps)};
    if (!range) return part;
    if (depth == kDepthMax) return wrong("too many ranges in one another");
    auto body = parts(depth + 1);
    if (!body) return tl::unexpected(body.error());
    part.body = *std::move(body);
    return part;
  }

  // Up to what ends a name; a backslash takes the next character as it is.
  std::string field() {
    std::string name;
    while (at_ < text_.size() &&
           std::string_view(".[]{} ()=!<>").find(text_[at_]) == std::string_view::npos) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      name += text_[at_++];
    }
    return name;
  }

  Result<std::string> quoted() {
    const char mark = text_[at_++];
    std::string out;
    while (at_ < text_.size() && text_[at_] != mark) {
      char c = text_[at_++];
      if (c == '\\' && at_ < text_.size()) {
        c = text_[at_++];
        c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
      }
      out += c;
    }
    if (at_ == text_.size()) return wrong("a quotation mark is missing");
    ++at_;
    return out;
  }

  Result<std::optional<long>> integer() {
    const std::string_view rest = text_.substr(at_);
    long value = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (error == std::errc::result_out_of_range) return wrong("a number is too large");
    if (error != std::errc()) return std::optional<long>();
    at_ += static_cast<std::size_t>(end - rest.data());
    return std::optional<long>(value);
  }

  Result<Step> subscript() {
    ++at_;
    Step step;
    if (peek() == '*') {
      ++at_;
      step.kind = Step::Kind::kAll;
    } else if (peek() == '\'' || peek() == '"') {
      auto name = quoted();
      if (!name) return tl::unexpected(name.error());
      step.name = *std::move(name);
    } else if (peek() == '?') {
      auto filter = this->filter();
      if (!filter) return filter;
      step = *std::move(filter);
    } else {
      step.kind = Step::Kind::kSlice;
      const auto from = integer();
      if (!from) return tl::unexpected(from.error());
      step.from = *from;
      step.single = peek() != ':';
      if (step.single && !step.from) return wrong("an index, '*', a quoted name or ?( is missing");
      if (!step.single) {
        ++at_;
        const auto to = integer();
        if (!to) return tl::unexpected(to.error());
        step.to = *to;
      }
    }
    if (peek() != ']') return wrong("a ] is missing");
    ++at_;
    return step;
  }

  Result<Step> filter() {
    if (text_.substr(at_, 2) != "?(") return wrong("?( is missing");
    if (++depth_ > kDepthMax) return wrong("too many filters in one another");
    at_ += 2;
    blanks();
    auto compared = path();
    if (!compared) return tl::unexpected(compared.error());
    Step step{.kind = Step::Kind::kFilter, .path = *std::move(compared)};
    blanks();
    while (std::string_view("=!<>").find(peek()) != std::string_view::npos && peek() != '\0')
      step.op += text_[at_++];
    blanks();
    if (!step.op.empty()) {
      auto literal = peek() == '"' || peek() == '\'' ? quoted() : Result<std::string>(bare());
      if (!literal) return tl::unexpected(literal.error());
      step.literal = *std::move(literal);
      blanks();
    }
    if (peek() != ')') return wrong("a ) is missing");
    ++at_;
    --depth_;
    return step;
  }

  std::string bare() {
    std::string out;
    while (at_ < text_.size() && text_[at_] != ')' && text_[at_] != ' ') out += text_[at_++];
    return out;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
};

std::string shown(const Json& json) {
  if (json.is_string()) return json.get<std::string>();
  if (json.is_null()) return "";
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Found walk(const std::vector<Step>& path, const Json& from);

bool passes(const Step& filter, const Json& item) {
  const Found found = walk(filter.path, item);
  if (filter.op.empty()) return !found.empty();
  if (found.empty()) return false;
  const Json& value = *found.front();
  if (filter.op == "==") return shown(value) == filter.literal;
  if (filter.op == "!=") return shown(value) != filter.literal;
  double bound = 0;
  const char* end = filter.literal.data() + filter.literal.size();
  if (!value.is_number() || std::from_chars(filter.literal.data(), end, bound).ec != std::errc())
    return false;
  const double number = value.get<double>();
  return (filter.op == "<" && number < bound) || (filter.op == "<=" && number <= bound) ||
         (filter.op == ">" && number > bound) || (filter.op == ">=" && number >= bound);
}

void descend(const std::string& name, const Json& from, Found& out) {
  if (!from.is_structured()) return;
  if (from.is_object()) {
    if (const auto found = from.find(name); found != from.end()) out.push_back(&*found);
  }
  for (const Json& child : from) descend(name, child, out);
}

void slice(const Step& step, const Json& from, Found& out) {
  if (!from.is_array()) return;
  const auto size = static_cast<long>(from.size());
  const auto place = [size](long index) { return index < 0 ? index + size : index; };
  const long begin = place(step.from.value_or(0));
  if (step.single && begin < 0) return;
  const long end = std::min(size, step.single ? begin + 1 : place(step.to.value_or(size)));
  for (long i = std::max(0L, begin); i < end; ++i) {
    out.push_back(&from[static_cast<std::size_t>(i)]);
  }
}

void take(const Step& step, const Json& from, Found& out) {
  switch (step.kind) {
    case Step::Kind::kField:
      if (from.is_object()) {
        if (const auto found = from.find(step.name); found != from.end()) out.push_back(&*found);
      }
      return;
    case Step::Kind::kDescend:
      descend(step.name, from, out);
      return;
    case Step::Kind::kAll:
      if (from.is_structured()) {
        for (const Json& child : from) out.push_back(&child);
      }
      return;
    case Step::Kind::kSlice:
      slice(step, from, out);
      return;
    case Step::Kind::kFilter:
      if (!from.is_array()) return;
      for (const Json& child : from) {
        if (passes(step, child)) out.push_back(&child);
      }
  }
}

Found walk(const std::vector<Step>& path, const Json& from) {
  Found now = {&from};
  for (const Step& step : path) {
    Found next;
    for (const Json* each : now) take(step, *each, next);
    now = std::move(next);
  }
  return now;
}

void print_parts(const std::vector<Part>& parts, const Json& root, std::string& out) {
  for (const Part& part : parts) {
    if (part.kind == Part::Kind::kText) {
      out += part.text;
    } else if (part.kind == Part::Kind::kRange) {
      for (const Json* each : walk(part.path, root)) print_parts(part.body, *each, out);
    } else {
      bool first = true;
      for (const Json* each : walk(part.path, root)) {
        if (!std::exchange(first, false)) out += ' ';
        out += shown(*each);
      }
    }
  }
}

}  // namespace

Result<JsonPath> JsonPath::parse(std::string_view text) {
  JsonPath parsed;
  Parser parser(text);
  if (text.find('{') == std::string_view::npos) {
    auto path = parser.path();
    if (!path) return tl::unexpected(path.error());
    if (!parser.done()) return parser.wrong("what is written is not understood");
    parsed.parts_.push_back({.kind = Part::Kind::kPath, .path = *std::move(path)});
    return parsed;
  }
  auto parts = parser.parts(0);
  if (!parts) return tl::unexpected(parts.error());
  parsed.parts_ = *std::move(parts);
  return parsed;
}

std::string JsonPath::print(const Json& root) const {
  std::string out;
  print_parts(parts_, root, out);
  return out;
}

std::vector<const Json*> JsonPath::find(const Json& root) const {
  for (const Part& part : parts_) {
    if (part.kind == Part::Kind::kPath) return walk(part.path, root);
  }
  return {};
}

}  // namespace tidegate::resource
