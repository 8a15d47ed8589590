#include "resource/structural.h"

#include <algorithm>

#include "resource/structural_node.h"

namespace tidegate::resource {
namespace {

using Node = StructuralNode;

void fill(const Node& node, Json& value);

void fill_object(const Node& node, Json& value) {
  for (const auto& [name, field] : node.fields) {
    const auto found = value.find(name);
    const bool absent = found == value.end() || (found->is_null() && !field->nullable);
    if (absent && field->otherwise) value[name] = *field->otherwise;
    if (absent && !field->otherwise) value.erase(name);
  }
  for (auto member = value.begin(); member != value.end(); ++member) {
    const auto field = node.fields.find(member.key());
    if (field != node.fields.end()) {
      fill(*field->second, *member);
    } else if (node.additional != nullptr) {
      fill(*node.additional, *member);
    }
  }
}

void fill(const Node& node, Json& value) {
  if (value.is_object()) fill_object(node, value);
  if (value.is_array() && node.items != nullptr) {
    for (Json& item : value) fill(*node.items, item);
  }
}

class Translator {
 public:
  explicit Translator(const SchemaPtr& metadata) : metadata_(metadata) {}

  SchemaPtr translate(const Node& node) const {
    auto schema = std::make_shared<Schema>(Schema{.type = type_of(node)});
    schema->atomic = node.atomic;
    schema->open = node.preserve;
    if (schema->type == Schema::Type::kObject) add_fields(node, *schema);
    if (schema->type == Schema::Type::kMap) schema->items = translate(*node.additional);
    if (schema->type == Schema::Type::kList) {
      schema->items = node.items != nullptr ? translate(*node.items) : std::make_shared<Schema>();
      schema->list_type = node.list_type;
      schema->list_keys = node.list_keys;
    }
    return schema;
  }

  void add_own_fields(Schema& schema) const {
    const auto put = [&](const char* name, const SchemaPtr& field) {
      if (SchemaField* known = schema.find(name)) {
        known->schema = field;
      } else {
        schema.fields.push_back({.name = name, .schema = field});
      }
    };
    const auto text = std::make_shared<Schema>(Schema{.type = Schema::Type::kText});
    put("apiVersion", text);
    put("kind", text);
    put("metadata", metadata_);
  }

 private:
  static Schema::Type type_of(const Node& node) {
    using Type = Schema::Type;
    if (node.int_or_text) return Type::kIntOrText;
    switch (node.type) {
      case Node::Type::kObject:
        return node.additional != nullptr ? Type::kMap : Type::kObject;
      case Node::Type::kList:
        return Type::kList;
      case Node::Type::kText:
        return Type::kText;
      case Node::Type::kInteger:
        return Type::kInteger;
      case Node::Type::kNumber:
        return Type::kNumber;
      case Node::Type::kBoolean:
        return Type::kBoolean;
      default:
        return node.fields.empty() ? Type::kAny : Type::kObject;
    }
  }

  void add_fields(const Node& node, Schema& schema) const {
    for (const auto& [name, field] : node.fields) {
      const bool required = std::find(node.required.begin(), node.required.end(), name) != node.required.end();
      schema.fields.push_back({.name = name, .schema = translate(*field), .required = required});
    }
    if (node.embedded) add_own_fields(schema);
  }

  const SchemaPtr& metadata_;
};

}  // namespace

void Structural::set_defaults(Json& document) const { fill(*root_, document); }

SchemaPtr Structural::schema(const SchemaPtr& metadata) const {
  const Translator translator(metadata);
  SchemaPtr schema = translator.translate(*root_);
  translator.add_own_fields(*schema);
  return schema;
}

}  // namespace tidegate::resource
