#include <algorithm>
#include <cmath>

#include "engine/chat/evaluate.h"
#include "engine/unicode/unicode.h"

namespace tidegate::chat {
namespace {

// Python's floor division and remainder: the remainder has the divisor's sign.
std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  if (b == -1) return static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(a));
  const std::int64_t q = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

Result<Value> repeated(Evaluator& evaluator, const std::string& text, std::int64_t times) {
  const auto count = static_cast<std::size_t>(std::max<std::int64_t>(0, times));
  if (!text.empty() && count > kTextMax / text.size()) return evaluator.wrong("builds too much text");
  if (auto paid = evaluator.spend(1, text.size() * count); !paid)
    return tl::unexpected(std::move(paid.error()));
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += text;
  return Value::text(std::move(out));
}

Result<Value> arithmetic(Evaluator& evaluator, const std::string& op, const Value& a, const Value& b) {
  const bool whole = !a.as<double>() && !b.as<double>() && op != "/";
  const double x = a.number(), y = b.number();
  if ((op == "/" || op == "//" || op == "%") && y == 0) return evaluator.wrong("divides by zero");
  if (!whole || op == "**") {
    if (op == "+") return Value::real(x + y);
    if (op == "-") return Value::real(x - y);
    if (op == "*") return Value::real(x * y);
    if (op == "/") return Value::real(x / y);
    if (op == "//") return Value::real(std::floor(x / y));
    if (op == "%") return Value::real(x - std::floor(x / y) * y);
    const double power = std::pow(x, y);
    if (whole && y >= 0 && std::fabs(power) < 9e15) return Value::integer(static_cast<std::int64_t>(power));
    return Value::real(power);
  }
  // Wraps where Python would grow: templates count messages, they do not compute.
  const auto integer = [](const Value& v) {
    const auto* i = v.as<std::int64_t>();
    return i ? *i : static_cast<std::int64_t>(v.number());
  };
  const std::int64_t i = integer(a), j = integer(b);
  const auto u = static_cast<std::uint64_t>(i), v = static_cast<std::uint64_t>(j);
  if (op == "+") return Value::integer(static_cast<std::int64_t>(u + v));
  if (op == "-") return Value::integer(static_cast<std::int64_t>(u - v));
  if (op == "*") return Value::integer(static_cast<std::int64_t>(u * v));
  if (op == "//") return Value::integer(floor_divide(i, j));
  return Value::integer(
      static_cast<std::int64_t>(u - static_cast<std::uint64_t>(floor_divide(i, j)) * v));  // %
}

}  // namespace

Value attribute(const Value& value, const std::string& name) {
  if (const Entries* entries = value.entries()) {
    if (const Value* found = find(*entries, name)) return *found;
  }
  return Value::undefined(name);
}

Value index(const Value& value, const Value& key) {
  if (const std::string* name = key.string()) return attribute(value, *name);
  if (!key.is_integer()) return Value::undefined(to_text(key));
  std::int64_t i = *key.as<std::int64_t>();
  const auto pick = [&](std::size_t size) {
    if (i < 0) i += static_cast<std::int64_t>(size);
    return i >= 0 && i < static_cast<std::int64_t>(size);
  };
  if (const List* items = value.items()) {
    if (pick(items->size())) return (*items)[static_cast<std::size_t>(i)];
  } else if (const std::string* text = value.string()) {
    const auto letters = characters(*text);
    if (pick(letters.size())) return Value::text(std::string(letters[static_cast<std::size_t>(i)]));
  } else if (value.entries()) {
    return attribute(value, to_text(key));
  }
  return Value::undefined(to_text(key));
}

Result<Value> binary(Evaluator& evaluator, const std::string& op, const Value& a, const Value& b) {
  const auto joined = [&](std::string x, const std::string& y) -> Result<Value> {
    if (auto paid = evaluator.spend(1, x.size() + y.size()); !paid)
      return tl::unexpected(std::move(paid.error()));
    return Value::text(std::move(x) + y);
  };
  if (op == "~") return joined(to_text(a), to_text(b));
  if (op == "+" && a.string() && b.string()) return joined(*a.string(), *b.string());
  if (op == "+" && a.items() && b.items()) {
    List both = *a.items();
    both.insert(both.end(), b.items()->begin(), b.items()->end());
    if (auto paid = evaluator.spend(both.size()); !paid) return tl::unexpected(std::move(paid.error()));
    return Value::list(std::move(both));
  }
  if (op == "*" && a.string() && b.is_integer())
    return repeated(evaluator, *a.string(), *b.as<std::int64_t>());
  if (op == "*" && b.string() && a.is_integer())
    return repeated(evaluator, *b.string(), *a.as<std::int64_t>());
  if (a.is_number() && b.is_number()) return arithmetic(evaluator, op, a, b);
  for (const Value* side : {&a, &b}) {
    if (side->is_undefined()) return evaluator.wrong("'" + side->as<Undefined>()->name + "' is undefined");
  }
  return evaluator.wrong("cannot compute " + a.type_name() + " " + op + " " + b.type_name());
}

Result<bool> compare(Evaluator& evaluator, const std::string& op, const Value& a, const Value& b) {
  if (op == "==") return equal(a, b);
  if (op == "!=") return !equal(a, b);
  if (op == "in" || op == "not in") {
    bool inside = false;
    if (const std::string* text = b.string()) {
      if (!a.string()) return evaluator.wrong("looks for a value of type " + a.type_name() + " in a text");
      inside = text->find(*a.string()) != std::string::npos;
    } else if (const List* items = b.items()) {
      if (auto paid = evaluator.spend(items->size()); !paid) return tl::unexpected(std::move(paid.error()));
      inside = std::any_of(items->begin(), items->end(), [&](const Value& item) { return equal(a, item); });
    } else if (const Entries* entries = b.entries()) {
      inside = find(*entries, to_text(a)) != nullptr;
    } else if (!b.is_undefined()) {
      return evaluator.wrong("looks for something in a value of type " + b.type_name());
    }
    return inside == (op == "in");
  }
  int order = 0;
  if (a.is_number() && b.is_number()) {
    order = a.number() < b.number() ? -1 : a.number() > b.number() ? 1 : 0;
  } else if (a.string() && b.string()) {
    order = a.string()->compare(*b.string());
  } else {
    return evaluator.wrong("cannot compare " + a.type_name() + " " + op + " " + b.type_name());
  }
  return op == "<" ? order < 0 : op == "<=" ? order <= 0 : op == ">" ? order > 0 : order >= 0;
}

Result<List> iterate(Evaluator& evaluator, const Value& value) {
  List items;
  if (const List* list = value.items()) {
    items = *list;
  } else if (const Entries* entries = value.entries(); entries && !value.name_space()) {
    for (const auto& [key, item] : *entries) items.push_back(Value::text(key));
  } else if (const std::string* text = value.string()) {
    for (const auto letter : characters(*text)) items.push_back(Value::text(std::string(letter)));
  } else if (!value.is_undefined()) {
    return evaluator.wrong("walks over a value of type " + value.type_name());
  }
  if (auto paid = evaluator.spend(items.size()); !paid) return tl::unexpected(std::move(paid.error()));
  return items;
}

std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t size = unicode::decode_utf8(text).size;
    out.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return out;
}

Result<Value> slice_of(Evaluator& evaluator, const Value& value, const Value& begin, const Value& end,
                       const Value& step) {
  const auto given = [](const Value& v) { return v.as<std::int64_t>(); };
  for (const Value* bound : {&begin, &end, &step}) {
    if (!given(*bound) && !bound->is_none())
      return evaluator.wrong("slices by a value of type " + bound->type_name());
  }
  const std::int64_t by = given(step) ? *given(step) : 1;
  if (by == 0) return evaluator.wrong("slices with step zero");
  std::vector<std::string_view> letters;
  if (value.string()) {
    letters = characters(*value.string());
  } else if (!value.items()) {
    return evaluator.wrong("slices a value of type " + value.type_name());
  }
  const auto size = static_cast<std::int64_t>(value.string() ? letters.size() : value.items()->size());
  if (auto paid = evaluator.spend(static_cast<std::size_t>(size)); !paid)
    return tl::unexpected(std::move(paid.error()));
  const auto bound = [&](const Value& v, std::int64_t otherwise) {
    if (!given(v)) return otherwise;
    std::int64_t i = *given(v);
    if (i < 0) i = i < -size ? -1 : i + size;
    if (by > 0) return std::clamp<std::int64_t>(i, 0, size);
    return std::clamp<std::int64_t>(i, -1, size - 1);
  };
  std::int64_t i = bound(begin, by > 0 ? 0 : size - 1);
  const std::int64_t stop = bound(end, by > 0 ? size : -1);
  std::string text;
  List items;
  while (by > 0 ? i < stop : i > stop) {
    if (value.string()) {
      text += letters[static_cast<std::size_t>(i)];
    } else {
      items.push_back((*value.items())[static_cast<std::size_t>(i)]);
    }
    if (by > 0 ? by >= stop - i : by <= stop - i) break;  // the next step would leave, perhaps far
    i += by;
  }
  if (value.string()) return Value::text(std::move(text));
  return Value::list(std::move(items));
}

}  // namespace tidegate::chat
