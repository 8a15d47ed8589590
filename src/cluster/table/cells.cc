#include "cluster/table/cells.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "resource/fields.h"

namespace tidegate::table {
namespace {

std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return {};
  int value = 0;
  const auto parsed = std::from_chars(text.data() + at, text.data() + at + count, value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + at + count || text[at] == '-') return {};
  return value;
}

// "2026-11-21T21:40:18Z", with or without a fraction; other zones are not written here.
std::optional<WallTime> parse_time(std::string_view text) {
  const auto year = digits(text, 0, 4);
  const auto month = digits(text, 5, 2);
  const auto day = digits(text, 8, 2);
  const auto hour = digits(text, 11, 2);
  const auto minute = digits(text, 14, 2);
  const auto second = digits(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return {};
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return {};
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second);
}

std::string two(std::int64_t big, char big_unit, std::int64_t small, char small_unit) {
  std::string text = std::to_string(big) + big_unit;
  if (small > 0) text += std::to_string(small) + small_unit;
  return text;
}

}  // namespace

std::string human(Duration duration) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration).count();
  const std::int64_t minutes = seconds / 60;
  const std::int64_t hours = minutes / 60;
  const std::int64_t days = hours / 24;
  constexpr std::int64_t kYear = 365;
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 120) return std::to_string(seconds) + "s";
  if (minutes < 10) return two(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return std::to_string(minutes) + "m";
  if (hours < 8) return two(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return std::to_string(hours) + "h";
  if (days < 8) return two(days, 'd', hours % 24, 'h');
  if (days < 2 * kYear) return std::to_string(days) + "d";
  if (days < 8 * kYear) return two(days / kYear, 'y', days % kYear, 'd');
  return std::to_string(days / kYear) + "y";
}

std::string since(std::string_view time, WallTime now) {
  const auto then = parse_time(time);
  return then ? human(now - *then) : kUnknown;
}

std::string age(const Json& object, WallTime now) {
  return since(resource::text(object, "metadata.creationTimestamp"), now);
}

std::string text_or(const Json& object, std::string_view path, std::string_view otherwise) {
  const Json* found = resource::find(object, path);
  if (found == nullptr) return std::string(otherwise);
  if (found->is_string()) {
    const auto& text = found->get_ref<const std::string&>();
    return text.empty() ? std::string(otherwise) : text;
  }
  return found->is_primitive() ? found->dump() : std::string(otherwise);
}

std::int64_t number(const Json& object, std::string_view path, std::int64_t otherwise) {
  return resource::number(object, path, otherwise);
}

const Json& items(const Json& object, std::string_view path) {
  static const Json kEmpty = Json::array();
  const Json* found = resource::find_array(object, path);
  return found == nullptr ? kEmpty : *found;
}

std::string name(const Json& object) { return resource::text(object, "metadata.name"); }

std::string labels_text(const Json* labels) {
  if (labels == nullptr || !labels->is_object() || labels->empty()) return kNone;
  std::vector<std::string> pairs;
  for (const auto& label : labels->items()) {
    if (label.value().is_string()) pairs.push_back(label.key() + "=" + label.value().get<std::string>());
  }
  return joined(pairs);
}

std::string selector_text(const Json* selector) {
  if (selector == nullptr) return kNone;
  std::vector<std::string> parts;
  if (const Json* labels = resource::find(*selector, "matchLabels"); labels != nullptr && !labels->empty()) {
    parts.push_back(labels_text(labels));
  }
  for (const Json& item : items(*selector, "matchExpressions")) {
    const std::string key = resource::text(item, "key");
    const std::string op = resource::text(item, "operator");
    std::vector<std::string> values;
    for (const Json& value : items(item, "values")) {
      if (value.is_string()) values.push_back(value.get<std::string>());
    }
    if (op == "Exists") parts.push_back(key);
    if (op == "DoesNotExist") parts.push_back("!" + key);
    if (op == "In" || op == "NotIn")
      parts.push_back(key + (op == "In" ? " in (" : " notin (") + joined(values) + ")");
  }
  return parts.empty() ? kNone : joined(parts);
}

std::string joined(const std::vector<std::string>& texts, std::string_view separator) {
  std::string all;
  for (const std::string& text : texts) {
    if (!all.empty()) all += separator;
    all += text;
  }
  return all;
}

std::string condition(const Json& object, std::string_view type) {
  const Json* found = resource::condition(object, type);
  return found == nullptr ? std::string() : resource::text(*found, "status");
}

}  // namespace tidegate::table
