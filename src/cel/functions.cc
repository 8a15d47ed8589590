// Operators, and what can be called.

#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "cel/node.h"

namespace tidegate::cel {
namespace {

using Arguments = std::span<const Value>;

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// Where the n-th character begins; the end for all behind it.
std::size_t place_of(std::string_view text, std::size_t n) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(text[i]) & 0xc0) != 0x80;
    if (begins && n-- == 0) return i;
  }
  return text.size();
}

const std::string& text_of(const Value& value) { return value.json().get_ref<const std::string&>(); }

bool whole(const Json& value) {
  return value.is_number_integer() &&
         (!value.is_number_unsigned() ||
          value.get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
}

Result<Json> whole_result(std::string_view sign, std::int64_t left, std::int64_t right) {
  std::int64_t result = 0;
  if (sign == "/" || sign == "%") {
    if (right == 0) return fail(Code::kInvalid, sign == "/" ? "division by zero" : "modulus by zero");
    if (left == std::numeric_limits<std::int64_t>::min() && right == -1)
      return fail(Code::kInvalid, "integer overflow");
    return Json(sign == "/" ? left / right : left % right);
  }
  const bool over = sign == "+"   ? __builtin_add_overflow(left, right, &result)
                    : sign == "-" ? __builtin_sub_overflow(left, right, &result)
                                  : __builtin_mul_overflow(left, right, &result);
  if (over) return fail(Code::kInvalid, "integer overflow");
  return Json(result);
}

Result<Json> arithmetic(std::string_view sign, const Json& left, const Json& right, Budget& budget) {
  if (whole(left) && whole(right)) return whole_result(sign, left.get<std::int64_t>(), right.get<std::int64_t>());
  if (left.is_number() && right.is_number() && sign != "%") {
    const double a = left.get<double>();
    const double b = right.get<double>();
    return Json(sign == "+" ? a + b : sign == "-" ? a - b : sign == "*" ? a * b : a / b);
  }
  if (sign == "+" && ((left.is_string() && right.is_string()) || (left.is_array() && right.is_array()))) {
    if (auto paid = spend(budget, weight(left) + weight(right)); !paid) return tl::unexpected(paid.error());
    if (left.is_string()) return Json(left.get<std::string>() + right.get<std::string>());
    Json all = left;
    for (const Json& each : right) all.push_back(each);
    return all;
  }
  return unfit("'" + std::string(sign) + "'");
}

// Below, at, or above zero, as `left` is less than, equal to or greater than `right`.
std::optional<int> order(const Json& left, const Json& right) {
  const auto of = [](const auto& a, const auto& b) { return a < b ? -1 : b < a ? 1 : 0; };
  if (whole(left) && whole(right)) return of(left.get<std::int64_t>(), right.get<std::int64_t>());
  if (left.is_number() && right.is_number()) {
    const double a = left.get<double>();
    const double b = right.get<double>();
    return std::isnan(a) || std::isnan(b) ? std::nullopt : std::optional(of(a, b));
  }
  if (left.is_string() && right.is_string()) {
    return of(left.get_ref<const std::string&>(), right.get_ref<const std::string&>());
  }
  if (left.is_boolean() && right.is_boolean()) return of(left.get<bool>(), right.get<bool>());
  return std::nullopt;
}

Result<Json> within(const Json& item, const Json& whole_thing) {
  if (whole_thing.is_array()) {
    return Json(std::any_of(whole_thing.begin(), whole_thing.end(), [&](const Json& each) { return equal(item, each); }));
  }
  if (whole_thing.is_object() && item.is_string()) return Json(whole_thing.contains(item.get<std::string>()));
  return unfit("'in'");
}

Result<Json> size(const Json& of) {
  if (of.is_string()) return Json(static_cast<std::int64_t>(characters(of.get_ref<const std::string&>())));
  if (of.is_structured()) return Json(static_cast<std::int64_t>(of.size()));
  return unfit("size()");
}

Result<Json> matches(const std::string& text, const std::string& pattern) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(1 << 20);
  const re2::RE2 compiled(pattern, options);
  if (!compiled.ok()) return fail(Code::kInvalid, "the pattern cannot be read: " + compiled.error().substr(0, 100));
  return Json(re2::RE2::PartialMatch(text, compiled));
}

Result<Json> as_text(const Json& value) {
  if (value.is_string()) return value;
  if (value.is_boolean() || value.is_number()) return Json(value.dump());
  return unfit("string()");
}

Result<Json> as_whole(const Json& value) {
  if (whole(value)) return value;
  if (value.is_number_float() && std::abs(value.get<double>()) < 9e18)
    return Json(static_cast<std::int64_t>(value.get<double>()));
  std::int64_t number = 0;
  if (!value.is_string()) return unfit("int()");
  const auto& text = value.get_ref<const std::string&>();
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size())
    return fail(Code::kInvalid, "int(): cannot read \"" + text.substr(0, 100) + "\"");
  return Json(number);
}

Result<Json> as_fraction(const Json& value) {
  if (value.is_number()) return Json(value.get<double>());
  double number = 0;
  if (!value.is_string()) return unfit("double()");
  const auto& text = value.get_ref<const std::string&>();
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size())
    return fail(Code::kInvalid, "double(): cannot read \"" + text.substr(0, 100) + "\"");
  return Json(number);
}

Json index_in(const std::string& text, const std::string& part, bool last) {
  const std::size_t at = last ? text.rfind(part) : text.find(part);
  if (at == std::string::npos) return -1;
  return static_cast<std::int64_t>(characters(std::string_view(text).substr(0, at)));
}

Json mapped(std::string text, char first, char last, int by) {
  for (char& c : text) {
    if (c >= first && c <= last) c = static_cast<char>(c + by);
  }
  return text;
}

Json trimmed(const std::string& text) {
  constexpr std::string_view kBlank = " \t\n\v\f\r";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

Result<Json> replaced(const std::string& text, const std::string& old, const std::string& with, Budget& budget) {
  if (old.empty()) return unfit("replace() of nothing");
  std::string out;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t next = std::min(text.find(old, at), text.size());
    out.append(text, at, next - at);
    if (next == text.size()) break;
    out += with;
    at = next + old.size();
    if (auto paid = spend(budget, 1 + with.size() / 16); !paid) return tl::unexpected(paid.error());
  }
  return Json(std::move(out));
}

Result<Json> split(const std::string& text, const std::string& sign, Budget& budget) {
  if (auto paid = spend(budget, text.size()); !paid) return tl::unexpected(paid.error());
  Json all = Json::array();
  for (std::size_t at = 0;;) {
    const std::size_t next = sign.empty() ? place_of(std::string_view(text).substr(at), 1) + at : text.find(sign, at);
    if (next >= text.size()) {
      if (!sign.empty() || at < text.size()) all.push_back(text.substr(at));
      return all;
    }
    all.push_back(text.substr(at, next - at));
    at = next + sign.size();
  }
}

Result<Json> joined(const Json& list, const std::string& sign, Budget& budget) {
  std::string out;
  for (const Json& each : list) {
    if (!each.is_string()) return unfit("join() of what is no text");
    if (&each != &list.front()) out += sign;
    out += each.get_ref<const std::string&>();
    if (auto paid = spend(budget, 1 + sign.size() / 16 + each.get_ref<const std::string&>().size() / 16); !paid)
      return tl::unexpected(paid.error());
  }
  return Json(std::move(out));
}

Result<Json> substring(const std::string& text, const Json& from, const Json& to) {
  const auto count = static_cast<std::int64_t>(characters(text));
  if (!whole(from) || !whole(to)) return unfit("substring()");
  const auto begin = from.get<std::int64_t>();
  const auto end = to.get<std::int64_t>();
  if (begin < 0 || begin > end || end > count) return fail(Code::kInvalid, "substring(): index out of range");
  const std::size_t first = place_of(text, static_cast<std::size_t>(begin));
  return Json(text.substr(first, place_of(text, static_cast<std::size_t>(end)) - first));
}

// min, max, sum, isSorted of a list.
Result<Json> over_list(std::string_view name, const Json& list, Budget& budget) {
  if (list.empty()) {
    if (name == "isSorted") return Json(true);
    return name == "sum" ? Result<Json>(Json(0)) : fail(Code::kInvalid, std::string(name) + "() of an empty list");
  }
  Json best = list.front();
  for (std::size_t i = 1; i < list.size(); ++i) {
    if (name == "sum") {
      auto sum = arithmetic("+", best, list[i], budget);
      if (!sum) return sum;
      best = *std::move(sum);
      continue;
    }
    const auto now = order(best, list[i]);
    if (!now) return unfit(std::string(name) + "()");
    if (name == "isSorted" && *now > 0) return Json(false);
    if (name == "isSorted" || (name == "max" ? *now < 0 : *now > 0)) best = list[i];
  }
  return name == "isSorted" ? Json(true) : best;
}

Json index_of(const Json& list, const Json& item, bool last) {
  std::int64_t found = -1;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (equal(list[i], item) && (last || found < 0)) found = static_cast<std::int64_t>(i);
  }
  return found;
}

struct Function {
  std::string_view name;
  bool on_something;  // called as x.name()
  std::size_t arguments;
};

constexpr Function kFunctions[] = {
    {"size", false, 1},       {"size", true, 1},        {"string", false, 1},   {"int", false, 1},
    {"double", false, 1},     {"dyn", false, 1},        {"matches", false, 2},  {"matches", true, 2},
    {"contains", true, 2},    {"startsWith", true, 2},  {"endsWith", true, 2},  {"lowerAscii", true, 1},
    {"upperAscii", true, 1},  {"trim", true, 1},        {"replace", true, 3},   {"split", true, 2},
    {"join", true, 1},        {"join", true, 2},        {"substring", true, 2}, {"substring", true, 3},
    {"indexOf", true, 2},     {"lastIndexOf", true, 2}, {"min", true, 1},       {"max", true, 1},
    {"sum", true, 1},         {"isSorted", true, 1},
};

Result<Json> call_on_text(std::string_view name, Arguments all, Budget& budget) {
  const std::string& text = text_of(all[0]);
  if (name == "lowerAscii") return mapped(text, 'A', 'Z', 'a' - 'A');
  if (name == "upperAscii") return mapped(text, 'a', 'z', 'A' - 'a');
  if (name == "trim") return trimmed(text);
  if (name == "substring") {
    return substring(text, all[1].json(),
                     all.size() == 3 ? all[2].json() : Json(static_cast<std::int64_t>(characters(text))));
  }
  if (all.size() < 2 || !all[1].json().is_string()) return unfit(std::string(name) + "()");
  const std::string& other = text_of(all[1]);
  if (name == "contains") return Json(text.find(other) != std::string::npos);
  if (name == "startsWith") return Json(text.starts_with(other));
  if (name == "endsWith") return Json(text.ends_with(other));
  if (name == "matches") return matches(text, other);
  if (name == "indexOf" || name == "lastIndexOf") return index_in(text, other, name == "lastIndexOf");
  if (name == "split") return split(text, other, budget);
  if (name == "replace" && all[2].json().is_string()) return replaced(text, other, text_of(all[2]), budget);
  return unfit(std::string(name) + "()");
}

Result<Json> call_on_list(std::string_view name, Arguments all, Budget& budget) {
  const Json& list = all[0].json();
  if (name == "indexOf" || name == "lastIndexOf") return index_of(list, all[1].json(), name == "lastIndexOf");
  if (name == "join") {
    if (all.size() == 2 && !all[1].json().is_string()) return unfit("join()");
    return joined(list, all.size() == 2 ? text_of(all[1]) : std::string(), budget);
  }
  if (name == "min" || name == "max" || name == "sum" || name == "isSorted") return over_list(name, list, budget);
  return unfit(std::string(name) + "()");
}

}  // namespace

bool is_function(std::string_view name, bool with_receiver, std::size_t arguments) {
  return std::any_of(std::begin(kFunctions), std::end(kFunctions), [&](const Function& each) {
    return each.name == name && each.on_something == with_receiver && each.arguments == arguments;
  });
}

Result<Json> call(std::string_view name, std::span<const Value> arguments, Budget& budget) {
  const Json& first = arguments[0].json();
  if (auto paid = spend(budget, weight(first)); !paid) return tl::unexpected(paid.error());
  if (name == "size") return size(first);
  if (name == "string") return as_text(first);
  if (name == "int") return as_whole(first);
  if (name == "double") return as_fraction(first);
  if (name == "dyn") return first;
  if (first.is_string()) return call_on_text(name, arguments, budget);
  if (first.is_array()) return call_on_list(name, arguments, budget);
  return unfit(std::string(name) + "()");
}

Result<Json> binary(std::string_view sign, const Json& left, const Json& right, Budget& budget) {
  if (sign == "==" || sign == "!=") {
    if (auto paid = spend(budget, weight(left)); !paid) return tl::unexpected(paid.error());
    return Json(equal(left, right) == (sign == "=="));
  }
  if (sign == "in") {
    if (auto paid = spend(budget, weight(right)); !paid) return tl::unexpected(paid.error());
    return within(left, right);
  }
  if (sign != "<" && sign != "<=" && sign != ">" && sign != ">=") return arithmetic(sign, left, right, budget);
  const auto now = order(left, right);
  if (!now) return unfit("'" + std::string(sign) + "'");
  return Json(sign == "<" ? *now < 0 : sign == "<=" ? *now <= 0 : sign == ">" ? *now > 0 : *now >= 0);
}

bool equal(const Json& left, const Json& right) {
  if (left.is_number() && right.is_number()) return order(left, right) == 0;
  if (left.type() != right.type() || left.size() != right.size()) return false;
  if (left.is_array()) return std::equal(left.begin(), left.end(), right.begin(), equal);
  if (!left.is_object()) return left == right;
  for (const auto& member : left.items()) {
    const auto other = right.find(member.key());
    if (other == right.end() || !equal(member.value(), *other)) return false;
  }
  return true;
}

Result<void> spend(Budget& budget, std::size_t steps) {
  if (steps > budget.steps) {
    budget.steps = 0;
    return fail(Code::kInvalid, "the rules of this object cost too much to evaluate");
  }
  budget.steps -= steps;
  return {};
}

std::size_t weight(const Json& value) {
  std::size_t sum = 1;
  if (value.is_string()) sum += value.get_ref<const std::string&>().size() / 16;
  if (value.is_structured()) {
    for (const Json& part : value) sum += weight(part);
  }
  return sum;
}

tl::unexpected<Error> unfit(std::string_view what) {
  return fail(Code::kInternal, std::string(what) + " does not fit the values it is about");
}

}  // namespace tidegate::cel
