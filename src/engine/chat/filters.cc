// Jinja's filters and tests, as far as chat templates use them.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/ascii.h"
#include "engine/chat/evaluate.h"

namespace tidegate::chat {
namespace {

std::string upper(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return text;
}

std::string capitalized(std::string text) {
  text = ascii::to_lower(text);
  if (!text.empty()) text[0] = upper(text.substr(0, 1))[0];
  return text;
}

std::string titled(std::string text) {
  bool start = true;
  for (char& c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    c = letter && start ? upper(std::string(1, c))[0] : ascii::lower(c);
    start = !letter && c != '\'';
  }
  return text;
}

// item.a.b or item[0], as selectattr and map name it.
Value path(const Value& item, const std::string& dotted) {
  Value value = item;
  for (std::size_t at = 0; at <= dotted.size();) {
    const std::size_t dot = std::min(dotted.find('.', at), dotted.size());
    const std::string part = dotted.substr(at, dot - at);
    std::int64_t number = 0;
    const auto read = std::from_chars(part.data(), part.data() + part.size(), number);
    const bool numbered = read.ec == std::errc() && read.ptr == part.data() + part.size() && !part.empty();
    value = numbered ? index(value, Value::integer(number)) : attribute(value, part);
    at = dot + 1;
  }
  return value;
}

// select, reject, selectattr, rejectattr: keeps items by a test on them or on an attribute of them.
Result<Value> select(Evaluator& evaluator, const Value& value, const Arguments& given, bool by_attribute,
                     bool keep) {
  auto items = iterate(evaluator, value);
  if (!items) return tl::unexpected(std::move(items.error()));
  const std::size_t first = by_attribute ? 1 : 0;
  const std::string name = by_attribute ? given.text(0, "") : std::string();
  const std::string test = given.text(first, "");
  Arguments rest;
  if (given.positional.size() > first + 1) {
    rest.positional.assign(given.positional.begin() + static_cast<std::ptrdiff_t>(first) + 1,
                           given.positional.end());
  }
  List kept;
  for (Value& item : *items) {
    const Value subject = by_attribute ? path(item, name) : item;
    bool passed = subject.truth();
    if (!test.empty()) {
      auto result = evaluator.test(test, subject, rest);
      if (!result) return tl::unexpected(std::move(result.error()));
      passed = *result;
    }
    if (passed == keep) kept.push_back(std::move(item));
  }
  return Value::list(std::move(kept));
}

Result<Value> map_items(Evaluator& evaluator, const Value& value, const Arguments& given) {
  auto items = iterate(evaluator, value);
  if (!items) return tl::unexpected(std::move(items.error()));
  const Value* name = find(given.named, "attribute");
  Arguments rest;
  if (given.positional.size() > 1)
    rest.positional.assign(given.positional.begin() + 1, given.positional.end());
  for (Value& item : *items) {
    if (name) {
      item = path(item, to_text(*name));
      const Value* otherwise = find(given.named, "default");
      if (item.is_undefined() && otherwise) item = *otherwise;
      continue;
    }
    auto made = evaluator.filter(given.text(0, ""), item, rest);
    if (!made) return made;
    item = std::move(*made);
  }
  return Value::list(std::move(*items));
}

Result<Value> join(Evaluator& evaluator, const Value& value, const Arguments& given) {
  auto items = iterate(evaluator, value);
  if (!items) return tl::unexpected(std::move(items.error()));
  const std::string between = given.text(0, "d");
  const std::string name = given.text(1, "attribute");
  std::string out;
  for (std::size_t i = 0; i < items->size(); ++i) {
    if (i > 0) out += between;
    out += to_text(name.empty() ? (*items)[i] : path((*items)[i], name));
    if (out.size() > kTextMax) return evaluator.wrong("builds too much text");
  }
  if (auto paid = evaluator.spend(0, out.size()); !paid) return tl::unexpected(std::move(paid.error()));
  return Value::text(std::move(out));
}

Result<Value> pairs(Evaluator& evaluator, const Value& value, bool sorted) {
  if (value.is_undefined()) return Value::list({});
  const Entries* entries = value.entries();
  if (!entries) return evaluator.wrong("asks for the items of a value of type " + value.type_name());
  std::vector<const std::pair<std::string, Value>*> order;
  for (const auto& entry : *entries) order.push_back(&entry);
  if (sorted) std::sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->first < b->first; });
  List list;
  for (const auto* entry : order) {
    auto pair = Value::list({Value::text(entry->first), entry->second}, true);
    if (!pair) return pair;
    list.push_back(std::move(*pair));
  }
  if (auto paid = evaluator.spend(list.size()); !paid) return tl::unexpected(std::move(paid.error()));
  return Value::list(std::move(list));
}

Result<Value> sorted(Evaluator& evaluator, const Value& value, const Arguments& given, bool unique) {
  auto items = iterate(evaluator, value);
  if (!items) return tl::unexpected(std::move(items.error()));
  const std::string name = unique ? given.text(1, "attribute") : given.text(2, "attribute");
  const auto key = [&](const Value& item) { return name.empty() ? item : path(item, name); };
  if (unique) {
    List kept;
    for (const Value& item : *items) {
      if (auto paid = evaluator.spend(kept.size()); !paid) return tl::unexpected(std::move(paid.error()));
      const auto same = [&](const Value& other) { return equal(key(item), key(other)); };
      if (std::none_of(kept.begin(), kept.end(), same)) kept.push_back(item);
    }
    return Value::list(std::move(kept));
  }
  const bool numbers =
      std::all_of(items->begin(), items->end(), [&](const Value& v) { return key(v).is_number(); });
  std::stable_sort(items->begin(), items->end(), [&](const Value& a, const Value& b) {
    if (numbers) return key(a).number() < key(b).number();
    return ascii::to_lower(to_text(key(a))) < ascii::to_lower(to_text(key(b)));
  });
  const Value* reverse = given.get(0, "reverse");
  if (reverse && reverse->truth()) std::reverse(items->begin(), items->end());
  return Value::list(std::move(*items));
}

Result<Value> first_or_last(Evaluator& evaluator, const Value& value, bool first) {
  auto items = iterate(evaluator, value);
  if (!items) return tl::unexpected(std::move(items.error()));
  if (items->empty()) return Value::undefined(first ? "first" : "last");
  return first ? items->front() : items->back();
}

Result<Value> reversed(Evaluator& evaluator, const Value& value) {
  auto items = iterate(evaluator, value);
  if (!items) return tl::unexpected(std::move(items.error()));
  std::reverse(items->begin(), items->end());
  if (!value.string()) return Value::list(std::move(*items));
  std::string text;
  for (const Value& letter : *items) text += *letter.string();
  return Value::text(std::move(text));
}

std::string replaced(const std::string& text, const std::string& from, const std::string& to) {
  if (from.empty()) return text;
  std::string out;
  for (std::size_t at = 0;;) {
    const std::size_t found = text.find(from, at);
    out.append(text, at, found - at);
    if (found == std::string::npos || out.size() > kTextMax) return out;
    out += to;
    at = found + from.size();
  }
}

std::string indented(const std::string& text, std::size_t width, bool first) {
  const std::string blanks(std::min<std::size_t>(width, 256), ' ');
  std::string out = first ? blanks : "";
  for (std::size_t i = 0; i < text.size(); ++i) {
    out += text[i];
    if (text[i] == '\n' && i + 1 < text.size() && text[i + 1] != '\n') out += blanks;
  }
  return out;
}

std::int64_t to_integer(const Value& value) {
  if (value.is_number()) return static_cast<std::int64_t>(std::clamp(value.number(), -9e15, 9e15));
  const std::string text = stripped(to_text(value), " \t\n\r", true, true);
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

Result<Value> length(Evaluator& evaluator, const Value& value) {
  if (const std::string* text = value.string())
    return Value::integer(static_cast<std::int64_t>(characters(*text).size()));
  if (const List* items = value.items()) return Value::integer(static_cast<std::int64_t>(items->size()));
  if (const Entries* entries = value.entries())
    return Value::integer(static_cast<std::int64_t>(entries->size()));
  if (value.is_undefined()) return Value::integer(0);
  return evaluator.wrong("asks for the length of a value of type " + value.type_name());
}

Result<Value> json_of(Evaluator& evaluator, const Value& value, const Arguments& given) {
  const Value* indent = given.get(0, "indent");
  const bool set = indent && indent->is_integer();
  auto text = to_json(
      value, set ? static_cast<int>(std::clamp<std::int64_t>(*indent->as<std::int64_t>(), 0, 16)) : -1);
  if (!text) return tl::unexpected(std::move(text.error()));
  if (auto paid = evaluator.spend(0, text->size()); !paid) return tl::unexpected(std::move(paid.error()));
  return Value::text(std::move(*text));
}

// Filters from text to text.
std::optional<std::string> text_filter(const std::string& name, const std::string& text,
                                       const Arguments& given) {
  if (name == "trim") return stripped(text, given.text(0, "chars", " \t\n\r\f\v"), true, true);
  if (name == "upper") return upper(text);
  if (name == "lower") return ascii::to_lower(text);
  if (name == "capitalize") return capitalized(text);
  if (name == "title") return titled(text);
  if (name == "string" || name == "safe") return text;
  if (name == "replace") return replaced(text, given.text(0, "old"), given.text(1, "new"));
  if (name == "indent") {
    const Value* width = given.get(0, "width");
    const Value* first = given.get(1, "first");
    return indented(text, static_cast<std::size_t>(std::max<std::int64_t>(0, width ? to_integer(*width) : 4)),
                    first && first->truth());
  }
  if (name == "escape" || name == "e") {
    std::string out;
    for (const char c : text) {
      if (c == '&')
        out += "&amp;";
      else if (c == '<')
        out += "&lt;";
      else if (c == '>')
        out += "&gt;";
      else if (c == '"')
        out += "&#34;";
      else if (c == '\'')
        out += "&#39;";
      else
        out += c;
    }
    return out;
  }
  return std::nullopt;
}

}  // namespace

Result<Value> Evaluator::filter(const std::string& name, const Value& value, const Arguments& given) {
  if (name == "tojson") return json_of(*this, value, given);
  if (name == "length" || name == "count") return length(*this, value);
  if (name == "default" || name == "d") {
    const Value* any = given.get(1, "boolean");
    const bool replace = value.is_undefined() || (any && any->truth() && !value.truth());
    const Value* otherwise = given.get(0, "default_value");
    if (!replace) return value;
    return otherwise ? *otherwise : Value::text("");
  }
  if (name == "join") return join(*this, value, given);
  if (name == "items") return pairs(*this, value, false);
  if (name == "dictsort") return pairs(*this, value, true);
  if (name == "selectattr") return select(*this, value, given, true, true);
  if (name == "rejectattr") return select(*this, value, given, true, false);
  if (name == "select") return select(*this, value, given, false, true);
  if (name == "reject") return select(*this, value, given, false, false);
  if (name == "map") return map_items(*this, value, given);
  if (name == "first" || name == "last") return first_or_last(*this, value, name == "first");
  if (name == "reverse") return reversed(*this, value);
  if (name == "sort" || name == "unique") return sorted(*this, value, given, name == "unique");
  if (name == "list") {
    auto items = iterate(*this, value);
    if (!items) return tl::unexpected(std::move(items.error()));
    return Value::list(std::move(*items));
  }
  if (name == "int") return Value::integer(to_integer(value));
  if (name == "float")
    return Value::real(value.is_number() ? value.number() : std::strtod(to_text(value).c_str(), nullptr));
  if (name == "abs" && value.is_number()) {
    return value.is_integer() ? Value::integer(std::abs(to_integer(value)))
                              : Value::real(std::fabs(value.number()));
  }
  if (name == "round" && value.is_number()) {
    const Value* digits = given.get(0, "precision");
    const double scale = std::pow(10.0, digits ? std::clamp(digits->number(), 0.0, 12.0) : 0.0);
    return Value::real(std::nearbyint(value.number() * scale) / scale);
  }
  const std::string text = to_text(value);
  if (auto paid = spend(0, text.size()); !paid) return tl::unexpected(std::move(paid.error()));
  auto made = text_filter(name, text, given);
  if (!made) return wrong("the filter '" + name + "' is not supported");
  if (auto paid = spend(0, made->size()); !paid) return tl::unexpected(std::move(paid.error()));
  return Value::text(std::move(*made));
}

Result<bool> Evaluator::test(const std::string& name, const Value& value, const Arguments& given) {
  if (auto paid = spend(1); !paid) return tl::unexpected(std::move(paid.error()));
  if (name == "defined") return !value.is_undefined();
  if (name == "undefined") return value.is_undefined();
  if (name == "none") return value.is_none();
  if (name == "string") return value.string() != nullptr;
  if (name == "mapping") return value.entries() && !value.name_space();
  if (name == "iterable") return value.string() || value.items() || (value.entries() && !value.name_space());
  if (name == "sequence") return value.string() || value.items() || (value.entries() && !value.name_space());
  if (name == "number") return value.is_number();
  if (name == "integer") return value.is_integer();
  if (name == "float") return value.as<double>() != nullptr;
  if (name == "boolean") return value.as<bool>() != nullptr;
  if (name == "true") return value.as<bool>() && *value.as<bool>();
  if (name == "false") return value.as<bool>() && !*value.as<bool>();
  if (name == "callable") return value.as<Callable>() != nullptr;
  if (name == "odd" || name == "even") return (to_integer(value) % 2 != 0) == (name == "odd");
  if (name == "lower") return value.string() && ascii::to_lower(*value.string()) == *value.string();
  if (name == "upper") return value.string() && upper(*value.string()) == *value.string();
  const Value none = Value::none();
  const Value& other = given.positional.empty() ? none : given.positional[0];
  if (name == "divisibleby") {
    const std::int64_t by = to_integer(other);
    if (by == 0) return wrong("divides by zero");
    return to_integer(value) % by == 0;
  }
  if (name == "equalto" || name == "eq" || name == "sameas") return equal(value, other);
  if (name == "ne") return !equal(value, other);
  if (name == "in") return compare(*this, "in", value, other);
  if (name == "lt" || name == "lessthan") return compare(*this, "<", value, other);
  if (name == "le") return compare(*this, "<=", value, other);
  if (name == "gt" || name == "greaterthan") return compare(*this, ">", value, other);
  if (name == "ge") return compare(*this, ">=", value, other);
  return wrong("the test '" + name + "' is not supported");
}

}  // namespace tidegate::chat
