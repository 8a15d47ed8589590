// Values of other types than their schema says.

#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/quantity.h"
#include "cluster/schema/fields.h"
#include "resource/structural_formats.h"

namespace tidegate::schema {
namespace {

using resource::Json;
using resource::Schema;
using Type = Schema::Type;
using Wrong = std::optional<std::string>;

const char* name_of(const Json& value) {
  if (value.is_object()) return "object";
  if (value.is_array()) return "array";
  if (value.is_string()) return "string";
  return value.is_boolean() ? "bool" : "number";
}

Wrong unfit(const Json& value, const std::string& path, const char* type) {
  return std::string("json: cannot unmarshal ") + name_of(value) + " into field " + path + " of type " + type;
}

Wrong quantity(const Json& value, const std::string& path) {
  if (value.is_number()) return std::nullopt;
  if (!value.is_string()) return unfit(value, path, "resource.Quantity");
  const auto& text = value.get_ref<const std::string&>();
  if (Quantity::parse(text)) return std::nullopt;
  return path + ": quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
}

Wrong scalar(Type type, const Json& value, const std::string& path) {
  switch (type) {
    case Type::kText:
      return value.is_string() ? std::nullopt : unfit(value, path, "string");
    case Type::kInteger:
      return value.is_number_integer() ? std::nullopt : unfit(value, path, "integer");
    case Type::kNumber:
      return value.is_number() ? std::nullopt : unfit(value, path, "number");
    case Type::kBoolean:
      return value.is_boolean() ? std::nullopt : unfit(value, path, "bool");
    case Type::kQuantity:
      return quantity(value, path);
    case Type::kIntOrText:
      return value.is_string() || value.is_number_integer() ? std::nullopt : unfit(value, path, "intstr.IntOrString");
    case Type::kBytes:
      if (!value.is_string()) return unfit(value, path, "[]uint8");
      return base64::decode(value.get_ref<const std::string&>()) ? std::nullopt : Wrong(path + ": illegal base64 data");
    case Type::kTime:
      if (!value.is_string()) return unfit(value, path, "Time");
      if (value == "" || resource::has_format("date-time", value.get_ref<const std::string&>())) return std::nullopt;
      return path + ": parsing time " + value.dump().substr(0, 100) + " as \"2006-01-02T15:04:05Z07:00\": cannot parse";
    default:
      return std::nullopt;
  }
}

Wrong look(const Schema& schema, const Json& value, const std::string& path) {
  if (value.is_null()) return std::nullopt;
  const bool object = schema.type == Type::kObject || schema.type == Type::kMap;
  if (object && !value.is_object()) return unfit(value, path, "object");
  if (schema.type == Type::kList && !value.is_array()) return unfit(value, path, "array");
  if (object) {
    for (const auto& member : value.items()) {
      const resource::SchemaField* field = schema.type == Type::kObject ? schema.find(member.key()) : nullptr;
      if (field == nullptr && schema.items == nullptr) continue;
      const std::string at = path.empty() ? member.key() : path + "." + member.key();
      if (auto wrong = look(field != nullptr ? *field->schema : *schema.items, member.value(), at)) return wrong;
    }
    return std::nullopt;
  }
  if (schema.type == Type::kList) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (auto wrong = look(*schema.items, value[i], path + "[" + std::to_string(i) + "]")) return wrong;
    }
    return std::nullopt;
  }
  return scalar(schema.type, value, path);
}

}  // namespace

std::optional<std::string> mistyped(const Schema& schema, const Json& document) { return look(schema, document, ""); }

}  // namespace tidegate::schema
