#include "engine/guide/schema.h"

#include <algorithm>
#include <array>
#include <limits>

#include "engine/guide/schema_compiler.h"

namespace tidegate::guide {
namespace {

using Json = SchemaCompiler::Json;
using Object = SchemaCompiler::Object;
using simdjson::dom::element_type;

constexpr int kNestingMax = 64;
constexpr std::size_t kSchemaBytesMax = 256 * 1024;

// What says whole shapes: none of them beside another. Names that are in none of these lists say nothing
// about which values are valid (title, default, $defs), or are not followed (most formats).
constexpr std::string_view kShapes[] = {"$ref", "allOf", "anyOf", "oneOf", "enum", "const"};

constexpr std::string_view kDetails[] = {
    "type",      "properties",       "required",        "additionalProperties",
    "items",     "prefixItems",      "minItems",        "maxItems",
    "minLength", "maxLength",        "pattern",         "minimum",
    "maximum",   "exclusiveMinimum", "exclusiveMaximum"};

constexpr std::string_view kRefused[] = {"not",
                                         "if",
                                         "then",
                                         "else",
                                         "patternProperties",
                                         "propertyNames",
                                         "minProperties",
                                         "maxProperties",
                                         "dependentRequired",
                                         "dependentSchemas",
                                         "dependencies",
                                         "unevaluatedProperties",
                                         "unevaluatedItems",
                                         "additionalItems",
                                         "contains",
                                         "minContains",
                                         "maxContains",
                                         "uniqueItems",
                                         "multipleOf",
                                         "$dynamicRef",
                                         "$recursiveRef"};

template <std::size_t N>
bool among(const std::string_view (&names)[N], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

std::optional<Json> member(Object object, std::string_view name) {
  Json value;
  if (object.at_key(name).get(value) != simdjson::SUCCESS) return std::nullopt;
  return value;
}

bool is_true(Object object, std::string_view name) {
  bool value = false;
  return object.at_key(name).get(value) == simdjson::SUCCESS && value;
}

bool has_type(Json value, std::string_view type) {
  switch (value.type()) {
    case element_type::ARRAY:
      return type == "array";
    case element_type::OBJECT:
      return type == "object";
    case element_type::STRING:
      return type == "string";
    case element_type::BOOL:
      return type == "boolean";
    case element_type::NULL_VALUE:
      return type == "null";
    case element_type::INT64:
    case element_type::UINT64:
      return type == "integer" || type == "number";
    case element_type::DOUBLE:
      return type == "number";
    default:
      return false;
  }
}

// The types of a schema that names none, by what it says about them.
std::vector<std::string_view> implied_types(Object schema) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kImplied = {
      {{"properties", "object"},
       {"required", "object"},
       {"additionalProperties", "object"},
       {"items", "array"},
       {"prefixItems", "array"},
       {"minItems", "array"},
       {"maxItems", "array"},
       {"minLength", "string"},
       {"maxLength", "string"},
       {"pattern", "string"},
       {"minimum", "number"},
       {"maximum", "number"},
       {"exclusiveMinimum", "number"},
       {"exclusiveMaximum", "number"}}};
  std::vector<std::string_view> types;
  for (const auto& [keyword, type] : kImplied) {
    if (member(schema, keyword) && std::find(types.begin(), types.end(), type) == types.end())
      types.push_back(type);
  }
  return types;
}

std::vector<std::string_view> named_types(Object schema) {
  std::vector<std::string_view> names;
  const auto type = member(schema, "type");
  std::string_view one;
  simdjson::dom::array list;
  if (!type) return names;
  if (type->get(one) == simdjson::SUCCESS) {
    names.push_back(one);
  } else if (type->get(list) == simdjson::SUCCESS) {
    for (const Json item : list)
      names.push_back(item.get(one) == simdjson::SUCCESS ? one : std::string_view());
  } else {
    names.emplace_back();
  }
  return names;
}

std::string decoded(std::string_view pointer) {
  std::string out;
  for (std::size_t i = 0; i < pointer.size(); ++i) {
    const std::string hex(pointer.substr(std::min(i + 1, pointer.size()), 2));
    if (pointer[i] == '%' && hex.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos &&
        hex.size() == 2) {
      out += static_cast<char>(std::stoi(hex, nullptr, 16));
      i += 2;
    } else {
      out += pointer[i];
    }
  }
  return out;
}

}  // namespace

SchemaCompiler::Place SchemaCompiler::Place::inside(Json inner, std::string_view name) const {
  constexpr std::size_t kShown = 200;
  std::string longer = path.empty() ? std::string(name) : path + "." + std::string(name);
  return {inner, longer.substr(0, kShown), depth + 1};
}

tl::unexpected<Error> SchemaCompiler::refuse(const Place& at, std::string_view keyword,
                                             std::string_view why) const {
  const Place inner = keyword.empty() ? at : at.inside(at.schema, keyword.substr(0, 60));
  return invalid(inner.path.empty() ? "the schema" : inner.path, std::string(why));
}

Result<void> SchemaCompiler::compile(RuleId root) {
  references_.emplace("", root);
  pending_.push_back({root, {root_, "", 0}});
  while (!pending_.empty()) {
    const Pending next = pending_.back();
    pending_.pop_back();
    const auto start = schema(next.place, kEnd);
    if (!start) return tl::unexpected(start.error());
    builder_.define(next.rule, *start);
    if (builder_.full()) break;
  }
  return {};
}

Result<void> SchemaCompiler::check_keywords(const Place& at, Object object) const {
  std::string_view shape;
  for (const auto& [name, value] : object) {
    bool off = false;
    const bool is_off = value.is_null() || (value.get(off) == simdjson::SUCCESS && !off);
    const bool closed =
        name == "unevaluatedProperties" || name == "unevaluatedItems" || name == "uniqueItems";
    if (among(kRefused, name) && !(closed && is_off)) {
      return refuse(at, name, "is not supported by this engine; leave it out or say it another way");
    }
    if (among(kShapes, name)) shape = name;
  }
  if (shape.empty()) return {};
  for (const auto& [name, value] : object) {
    if (name == shape || (name == "type" && (shape == "enum" || shape == "const"))) continue;
    if (among(kShapes, name) || among(kDetails, name)) {
      return refuse(at, name,
                    "beside " + std::string(shape) + " is not supported by this engine; use one of them");
    }
  }
  return {};
}

Result<NodeId> SchemaCompiler::schema(const Place& at, NodeId next) {
  if (at.depth > kNestingMax) return refuse(at, "", "is nested too deeply; use $defs and $ref");
  bool anything = false;
  if (at.schema.get(anything) == simdjson::SUCCESS) {
    if (anything) return json_.value(next);
    return refuse(at, "", "is false, which no value satisfies");
  }
  Object object;
  if (at.schema.get(object) != simdjson::SUCCESS) return refuse(at, "", "is not a schema; use an object");
  if (auto known = check_keywords(at, object); !known) return tl::unexpected(known.error());

  Result<NodeId> start;
  if (const auto pointer = member(object, "$ref")) {
    start = reference(at, *pointer, next);
  } else if (const auto all = member(object, "allOf")) {
    simdjson::dom::array list;
    if (all->get(list) != simdjson::SUCCESS || list.size() != 1) {
      return refuse(at, "allOf", "is supported with one schema in it only; merge them into one");
    }
    start = schema(at.inside(list.at(0), "allOf.0"), next);
  } else if (const auto any = member(object, "anyOf")) {
    start = alternatives(at, "anyOf", *any, next);
  } else if (const auto one = member(object, "oneOf")) {
    start = alternatives(at, "oneOf", *one, next);
  } else if (member(object, "enum") || member(object, "const")) {
    start = values(at, object, next);
  } else {
    start = types(at, object, next);
  }
  if (start && is_true(object, "nullable")) return builder_.either(json_.null(next), *start);
  return start;
}

Result<NodeId> SchemaCompiler::alternatives(const Place& at, std::string_view keyword, Json list,
                                            NodeId next) {
  simdjson::dom::array items;
  if (list.get(items) != simdjson::SUCCESS || items.size() == 0) {
    return refuse(at, keyword, "needs a list of schemas");
  }
  std::optional<NodeId> start;
  std::size_t index = 0;
  for (const Json item : items) {
    const auto one = schema(at.inside(item, std::string(keyword) + "." + std::to_string(index++)), next);
    if (!one) return one;
    start = start ? builder_.either(*start, *one) : *one;
  }
  return *start;
}

Result<NodeId> SchemaCompiler::values(const Place& at, Object object, NodeId next) {
  const auto types = named_types(object);
  std::optional<NodeId> start;
  const auto offer = [&](Json value) {
    const bool fits = types.empty() || std::any_of(types.begin(), types.end(), [&](std::string_view type) {
                        return has_type(value, type);
                      });
    if (!fits || builder_.full()) return;
    const NodeId one = builder_.text(simdjson::minify(value), next);
    start = start ? builder_.either(*start, one) : one;
  };
  if (const auto list = member(object, "enum")) {
    simdjson::dom::array items;
    if (list->get(items) != simdjson::SUCCESS) return refuse(at, "enum", "needs a list of values");
    for (const Json item : items) offer(item);
  } else {
    offer(*member(object, "const"));
  }
  if (!start) return refuse(at, member(object, "enum") ? "enum" : "const", "allows no value of the type");
  return *start;
}

Result<NodeId> SchemaCompiler::types(const Place& at, Object object, NodeId next) {
  auto names = named_types(object);
  if (names.empty()) names = implied_types(object);
  if (names.empty()) {
    if (member(object, "type")) return refuse(at, "type", "names no type");
    return json_.value(next);
  }
  std::optional<NodeId> start;
  for (const std::string_view name : names) {
    const auto one = of_type(at, object, name, next);
    if (!one) return one;
    start = start ? builder_.either(*start, *one) : *one;
  }
  return *start;
}

Result<NodeId> SchemaCompiler::of_type(const Place& at, Object schema, std::string_view type, NodeId next) {
  if (type == "object") return object(at, schema, next);
  if (type == "array") return array(at, schema, next);
  if (type == "string") return string(at, schema, next);
  if (type == "integer") return number(at, schema, true, next);
  if (type == "number") return number(at, schema, false, next);
  if (type == "boolean") return json_.boolean(next);
  if (type == "null") return json_.null(next);
  return refuse(at, "type", "is not a type; use object, array, string, integer, number, boolean or null");
}

// Where a reference leads is compiled once, later, so that schemas may refer to themselves.
Result<NodeId> SchemaCompiler::reference(const Place& at, Json pointer, NodeId next) {
  std::string_view text;
  if (pointer.get(text) != simdjson::SUCCESS) return refuse(at, "$ref", "needs a string");
  if (text != "#" && !text.starts_with("#/")) {
    return refuse(at, "$ref", "leads out of the schema; only references such as #/$defs/name are supported");
  }
  const std::string inside = decoded(text.substr(1));
  if (const auto known = references_.find(inside); known != references_.end()) {
    return builder_.call(known->second, next);
  }
  Json target;
  if (root_.at_pointer(inside).get(target) != simdjson::SUCCESS) {
    return refuse(at, "$ref", "leads nowhere in this schema");
  }
  const RuleId rule = builder_.declare();
  references_.emplace(inside, rule);
  pending_.push_back({rule, {target, std::string(text.substr(0, 200)), 0}});
  return builder_.call(rule, next);
}

Result<RuleId> SchemaCompiler::rule_of(const Place& at) {
  const auto start = schema(at, kEnd);
  if (!start) return tl::unexpected(start.error());
  return builder_.rule(*start);
}

Result<std::optional<std::uint32_t>> SchemaCompiler::count(const Place& at, Object object,
                                                           std::string_view keyword) const {
  const auto value = member(object, keyword);
  if (!value) return std::optional<std::uint32_t>();
  std::int64_t number = -1;
  double real = 0;
  if (value->get(number) != simdjson::SUCCESS && value->get(real) == simdjson::SUCCESS && real >= 0 &&
      real < 1e9 && real == static_cast<double>(static_cast<std::int64_t>(real))) {
    number = static_cast<std::int64_t>(real);
  }
  if (number < 0) return refuse(at, keyword, "needs a whole number from 0");
  return std::optional(static_cast<std::uint32_t>(std::min<std::int64_t>(number, kNever - 1)));
}

Result<void> compile_schema(Builder& builder, JsonText& json, std::string_view schema, RuleId root) {
  if (schema.size() > kSchemaBytesMax) {
    return invalid("the schema", "is larger than " + std::to_string(kSchemaBytesMax) + " bytes");
  }
  simdjson::dom::parser parser;
  Json parsed;
  if (const auto code = parser.parse(schema.data(), schema.size()).get(parsed); code != simdjson::SUCCESS) {
    return invalid("the schema", std::string("is not JSON: ") + simdjson::error_message(code));
  }
  return SchemaCompiler(builder, json, parsed).compile(root);
}

}  // namespace tidegate::guide
