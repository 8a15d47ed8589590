#include "control/autoscale/sources/page.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

namespace tidegate::sources {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLabelsMax = 64;

void skip_blanks(std::string_view& rest) {
  while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t')) rest.remove_prefix(1);
}

std::string_view take_name(std::string_view& rest) {
  std::size_t size = 0;
  while (size < rest.size()) {
    const char c = rest[size];
    const bool inside =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == ':';
    if (!inside) break;
    ++size;
  }
  const std::string_view name = rest.substr(0, size);
  rest.remove_prefix(size);
  return name;
}

bool take(std::string_view& rest, char c) {
  if (rest.empty() || rest.front() != c) return false;
  rest.remove_prefix(1);
  return true;
}

// A quoted value with its escapes undone.
std::optional<std::string> take_value(std::string_view& rest) {
  if (!take(rest, '"')) return std::nullopt;
  std::string value;
  while (!rest.empty()) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c == '"') return value;
    if (c != '\\') {
      value += c;
      continue;
    }
    if (rest.empty()) return std::nullopt;
    value += rest.front() == 'n' ? '\n' : rest.front();
    rest.remove_prefix(1);
  }
  return std::nullopt;
}

std::optional<Labels> take_labels(std::string_view& rest) {
  Labels labels;
  if (!take(rest, '{')) return labels;
  while (true) {
    skip_blanks(rest);
    if (take(rest, '}')) return labels;
    const std::string_view name = take_name(rest);
    skip_blanks(rest);
    if (name.empty() || !take(rest, '=') || labels.size() >= kLabelsMax) return std::nullopt;
    skip_blanks(rest);
    auto value = take_value(rest);
    if (!value) return std::nullopt;
    labels.emplace(name, *std::move(value));
    skip_blanks(rest);
    take(rest, ',');
  }
}

std::optional<double> number_of(std::string_view text) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

}  // namespace

std::vector<Series> read_page(std::string_view page, const std::function<bool(std::string_view)>& wanted) {
  std::vector<Series> all;
  while (!page.empty() && all.size() < kSeriesMax) {
    const std::size_t end = std::min(page.find('\n'), page.size());
    std::string_view line = page.substr(0, end);
    page.remove_prefix(std::min(end + 1, page.size()));
    skip_blanks(line);
    const std::string_view name = take_name(line);
    if (name.empty() || !wanted(name)) continue;
    auto labels = take_labels(line);
    if (!labels) continue;
    skip_blanks(line);
    // A time stamp may follow; what we keep is when we read it.
    const auto value = number_of(line.substr(0, line.find_first_of(" \t\r")));
    if (value) all.push_back({std::string(name), *std::move(labels), *value});
  }
  return all;
}

Result<std::vector<Series>> read_query(std::string_view answer) {
  const Json document = Json::parse(answer, nullptr, false);
  if (!document.is_object()) return fail(Code::kUnavailable, "Prometheus' answer is not JSON");
  if (document.value("status", "") != "success") {
    const auto error = document.find("error");
    const bool said = error != document.end() && error->is_string();
    return fail(Code::kUnavailable,
                "Prometheus says: " + (said ? error->get<std::string>().substr(0, 300) : "no success"));
  }
  std::vector<Series> all;
  const auto add = [&all](const Json& pair, Labels labels) {
    if (!pair.is_array() || pair.size() != 2 || !pair[1].is_string()) return;
    const auto value = number_of(pair[1].get_ref<const std::string&>());
    if (value && all.size() < kSeriesMax) all.push_back({"", std::move(labels), *value});
  };
  const auto data = document.find("data");
  if (data == document.end() || !data->is_object()) return all;
  const auto type = data->find("resultType");
  const auto result = data->find("result");
  if (type == data->end() || !type->is_string() || result == data->end() || !result->is_array()) return all;
  if (*type == "scalar") {
    add(*result, {});
    return all;
  }
  for (const Json& item : *result) {
    if (!item.is_object()) continue;
    Labels labels;
    const auto metric = item.find("metric");
    if (metric != item.end() && metric->is_object()) {
      for (const auto& [name, value] : metric->items()) {
        if (value.is_string()) labels.emplace(name, value.get<std::string>());
      }
    }
    const auto value = item.find("value");
    if (value != item.end()) add(*value, std::move(labels));
  }
  return all;
}

}  // namespace tidegate::sources
