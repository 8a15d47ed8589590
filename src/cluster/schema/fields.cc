#include "cluster/schema/fields.h"

#include <nlohmann/json.hpp>

#include "cluster/schema/catalog.h"
#include "resource/fields.h"
#include "resource/names.h"

namespace tidegate::schema {
namespace {

using resource::Json;
using resource::Schema;

constexpr std::size_t kMessagesMax = 100;

class Pruner {
 public:
  void prune(const Schema& schema, Json& value, const std::string& path) {
    using Type = Schema::Type;
    if (schema.type == Type::kObject && value.is_object()) prune_object(schema, value, path);
    if (schema.type == Type::kMap && value.is_object()) {
      for (const auto& member : value.items())
        prune(*schema.items, member.value(), path + "." + member.key());
    }
    if (schema.type == Type::kList && value.is_array()) {
      for (std::size_t i = 0; i < value.size(); ++i) {
        prune(*schema.items, value[i], path + "[" + std::to_string(i) + "]");
      }
    }
  }

  std::vector<Error> take() { return std::move(unknown_); }

 private:
  void prune_object(const Schema& schema, Json& object, const std::string& path) {
    std::vector<std::string> unknown;
    for (const auto& member : object.items()) {
      const std::string at = path.empty() ? member.key() : path + "." + member.key();
      if (const resource::SchemaField* field = schema.find(member.key())) {
        prune(*field->schema, member.value(), at);
      } else if (!schema.open) {
        unknown.push_back(member.key());
        if (unknown_.size() < kMessagesMax) unknown_.push_back(not_a_field(schema, member.key(), at));
      }
    }
    for (const std::string& field : unknown) object.erase(field);
  }

  static Error not_a_field(const Schema& schema, const std::string& name, const std::string& path) {
    std::vector<std::string_view> known;
    for (const resource::SchemaField& field : schema.fields) known.push_back(field.name);
    const std::string_view meant = resource::nearest(name, known);
    return {Code::kInvalid, path,
            "is not a field here" + (meant.empty() ? "" : "; did you mean " + std::string(meant) + "?")};
  }

  std::vector<Error> unknown_;
};

}  // namespace

Result<FieldValidation> parse_field_validation(std::string_view text) {
  if (text.empty() || text == "Warn") return FieldValidation::kWarn;
  if (text == "Strict") return FieldValidation::kStrict;
  if (text == "Ignore") return FieldValidation::kIgnore;
  return invalid("fieldValidation", "Unsupported value: \"" + std::string(text.substr(0, 40)) +
                                        "\": supported values: \"Ignore\", \"Strict\", \"Warn\"");
}

std::vector<std::string> drop_unknown(const Schema& schema, Json& document) {
  Pruner pruner;
  pruner.prune(schema, document, "");
  std::vector<std::string> messages;
  for (const Error& error : pruner.take()) messages.push_back("unknown field \"" + error.field + "\"");
  return messages;
}

std::vector<Error> unknown_fields(const resource::Kind& kind, const Json& document) {
  const std::string api_version = resource::text(document, "apiVersion");
  const std::string version = api_version.substr(api_version.rfind('/') + 1);
  if (!is_built_in(kind, version)) return {};
  Json copy = document;
  Pruner pruner;
  pruner.prune(schema_of(kind, version), copy, "");
  return pruner.take();
}

std::vector<std::string> duplicate_messages(const std::vector<std::string>& paths) {
  std::vector<std::string> messages;
  for (const std::string& path : paths) {
    if (messages.size() == kMessagesMax) break;
    messages.push_back("duplicate field \"" + path + "\"");
  }
  return messages;
}

std::string strict_error(const std::vector<std::string>& messages) {
  std::string text = "strict decoding error: ";
  for (std::size_t i = 0; i < messages.size(); ++i) text += (i == 0 ? "" : ", ") + messages[i];
  return text;
}

}  // namespace tidegate::schema
