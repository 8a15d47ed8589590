#include "engine/chat/value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

namespace tidegate::chat {
namespace {

int depth_of(const Value& value) {
  if (const auto* list = value.as<std::shared_ptr<const ListBox>>()) return (*list)->depth;
  if (const auto* map = value.as<std::shared_ptr<const MapBox>>()) return (*map)->depth;
  return 0;
}

Result<int> depth_around(int deepest, const Value& item) {
  if (item.name_space()) return invalid("chat_template", "puts a namespace into a container");
  deepest = std::max(deepest, depth_of(item) + 1);
  if (deepest > kDepthMax) return invalid("chat_template", "nests values too deeply");
  return deepest;
}

// Shortest digits that read back the same, with a ".0" where Python writes one.
std::string real_text(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  std::array<char, 40> buffer;
  const double size = std::fabs(number);
  const bool scientific = number != 0 && (size >= 1e16 || size < 1e-4);
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number,
                                 scientific ? std::chars_format::scientific : std::chars_format::fixed);
  std::string text(buffer.data(), end.ptr);
  if (!scientific && text.find('.') == std::string::npos) text += ".0";
  return text;
}

std::string repr(const Value& value) {
  const std::string* text = value.string();
  if (!text) return to_text(value);
  const char quote =
      text->find('\'') != std::string::npos && text->find('"') == std::string::npos ? '"' : '\'';
  std::string out(1, quote);
  for (const char c : *text) {
    switch (c) {
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\\':
        out += "\\\\";
        break;
      default:
        if (c == quote) out += '\\';
        out += c;
    }
  }
  return out + quote;
}

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\b') {
      out += "\\b";
    } else if (c == '\f') {
      out += "\\f";
    } else if (u < 0x20) {
      out += "\\u00";
      out += kHex[u >> 4];
      out += kHex[u & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_break(std::string& out, int indent, int level) {
  if (indent < 0) return;
  out += '\n';
  out.append(static_cast<std::size_t>(indent) * static_cast<std::size_t>(level), ' ');
}

Result<void> append_json(std::string& out, const Value& value, int indent, int level) {
  const char* between = indent < 0 ? ", " : ",";
  if (const List* items = value.items()) {
    if (items->empty()) return out += "[]", Result<void>{};
    out += '[';
    for (std::size_t i = 0; i < items->size(); ++i) {
      if (i > 0) out += between;
      append_break(out, indent, level + 1);
      if (auto done = append_json(out, (*items)[i], indent, level + 1); !done) return done;
    }
    append_break(out, indent, level);
    out += ']';
  } else if (const Entries* entries = value.entries()) {
    if (entries->empty()) return out += "{}", Result<void>{};
    out += '{';
    for (std::size_t i = 0; i < entries->size(); ++i) {
      if (i > 0) out += between;
      append_break(out, indent, level + 1);
      append_json_string(out, (*entries)[i].first);
      out += ": ";
      if (auto done = append_json(out, (*entries)[i].second, indent, level + 1); !done) return done;
    }
    append_break(out, indent, level);
    out += '}';
  } else if (const std::string* text = value.string()) {
    append_json_string(out, *text);
  } else if (const bool* flag = value.as<bool>()) {
    out += *flag ? "true" : "false";
  } else if (value.is_none()) {
    out += "null";
  } else if (value.is_number()) {
    out += to_text(value);
  } else {
    return invalid("chat_template", "makes JSON of a value of type " + value.type_name());
  }
  return {};
}

Result<Value> convert(const nlohmann::ordered_json& json, int depth) {
  if (depth > kDepthMax - 8)
    return invalid("messages", "are nested too deeply");  // room for a template to wrap them
  if (json.is_boolean()) return Value::boolean(json.get<bool>());
  if (json.is_number_unsigned() && json.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
    return Value::real(json.get<double>());
  }
  if (json.is_number_integer()) return Value::integer(json.get<std::int64_t>());
  if (json.is_number_float()) return Value::real(json.get<double>());
  if (json.is_string()) return Value::text(json.get<std::string>());
  if (json.is_array()) {
    List items;
    for (const auto& item : json) {
      auto made = convert(item, depth + 1);
      if (!made) return made;
      items.push_back(std::move(*made));
    }
    return Value::list(std::move(items));
  }
  if (json.is_object()) {
    Entries entries;
    for (const auto& [key, item] : json.items()) {
      auto made = convert(item, depth + 1);
      if (!made) return made;
      entries.emplace_back(key, std::move(*made));
    }
    return Value::map(std::move(entries));
  }
  return Value::none();
}

}  // namespace

Result<Value> Value::list(List items, bool tuple) {
  int depth = 1;
  for (const Value& item : items) {
    auto around = depth_around(depth, item);
    if (!around) return tl::unexpected(std::move(around.error()));
    depth = *around;
  }
  return Value(Data(std::make_shared<const ListBox>(ListBox{std::move(items), depth, tuple})));
}

Result<Value> Value::map(Entries entries) {
  int depth = 1;
  for (const auto& [key, item] : entries) {
    auto around = depth_around(depth, item);
    if (!around) return tl::unexpected(std::move(around.error()));
    depth = *around;
  }
  return Value(Data(std::make_shared<const MapBox>(MapBox{std::move(entries), depth})));
}

const List* Value::items() const {
  const auto* box = as<std::shared_ptr<const ListBox>>();
  return box ? &(*box)->items : nullptr;
}

const Entries* Value::entries() const {
  if (const auto* box = as<std::shared_ptr<const MapBox>>()) return &(*box)->entries;
  const NamespaceBox* box = name_space();
  return box ? &box->entries : nullptr;
}

NamespaceBox* Value::name_space() const {
  const auto* box = as<std::shared_ptr<NamespaceBox>>();
  return box ? box->get() : nullptr;
}

double Value::number() const {
  if (const auto* i = as<std::int64_t>()) return static_cast<double>(*i);
  if (const auto* d = as<double>()) return *d;
  const bool* b = as<bool>();
  return b && *b ? 1 : 0;
}

bool Value::truth() const {
  if (is_undefined() || is_none()) return false;
  if (is_number()) return number() != 0;
  if (const std::string* text = string()) return !text->empty();
  if (const List* list = items()) return !list->empty();
  if (name_space()) return true;
  if (const Entries* map = entries()) return !map->empty();
  return true;
}

std::string Value::type_name() const {
  static constexpr std::array<const char*, 10> kNames = {
      "undefined", "NoneType", "bool", "int", "float", "str", "list", "dict", "Namespace", "function"};
  return kNames[data_.index()];
}

const Value* find(const Entries& entries, std::string_view key) {
  for (const auto& [name, value] : entries) {
    if (name == key) return &value;
  }
  return nullptr;
}

bool equal(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    if (a.is_integer() && b.is_integer()) return *a.as<std::int64_t>() == *b.as<std::int64_t>();
    return a.number() == b.number();
  }
  if (a.string() && b.string()) return *a.string() == *b.string();
  if (a.items() && b.items()) {
    return std::equal(a.items()->begin(), a.items()->end(), b.items()->begin(), b.items()->end(), equal);
  }
  if (a.name_space() || b.name_space()) return a.name_space() == b.name_space();
  if (a.entries() && b.entries()) {
    if (a.entries()->size() != b.entries()->size()) return false;
    return std::all_of(a.entries()->begin(), a.entries()->end(), [&](const auto& entry) {
      const Value* other = find(*b.entries(), entry.first);
      return other && equal(entry.second, *other);
    });
  }
  return (a.is_none() && b.is_none()) || (a.is_undefined() && b.is_undefined());
}

std::string to_text(const Value& value) {
  if (value.is_undefined()) return {};
  if (value.is_none()) return "None";
  if (const bool* flag = value.as<bool>()) return *flag ? "True" : "False";
  if (const auto* integer = value.as<std::int64_t>()) return std::to_string(*integer);
  if (const auto* real = value.as<double>()) return real_text(*real);
  if (const std::string* text = value.string()) return *text;
  if (const List* items = value.items()) {
    const bool tuple = (*value.as<std::shared_ptr<const ListBox>>())->tuple;
    std::string out(1, tuple ? '(' : '[');
    for (std::size_t i = 0; i < items->size(); ++i) out += (i > 0 ? ", " : "") + repr((*items)[i]);
    if (tuple && items->size() == 1) out += ',';
    return out + (tuple ? ')' : ']');
  }
  if (value.name_space()) return "<Namespace>";
  if (const Entries* entries = value.entries()) {
    std::string out = "{";
    for (std::size_t i = 0; i < entries->size(); ++i) {
      out += (i > 0 ? ", " : "") + repr(Value::text((*entries)[i].first)) + ": " + repr((*entries)[i].second);
    }
    return out + "}";
  }
  return "<function>";
}

Result<std::string> to_json(const Value& value, int indent) {
  std::string out;
  auto done = append_json(out, value, indent, 0);
  if (!done) return tl::unexpected(std::move(done.error()));
  return out;
}

Result<Value> from_json(std::string_view text) {
  const auto json = nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return invalid("", "is no JSON");
  return convert(json, 0);
}

}  // namespace tidegate::chat
