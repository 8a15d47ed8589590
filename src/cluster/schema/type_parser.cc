#include "cluster/schema/type_parser.h"

#include <charconv>
#include <memory>
#include <utility>
#include <vector>

#include "base/check.h"

namespace tidegate::schema {
namespace {

using resource::ListType;
using resource::Schema;
using resource::SchemaField;
using resource::SchemaPtr;
using Type = Schema::Type;

constexpr std::pair<std::string_view, Type> kPlain[] = {
    {"text", Type::kText},       {"integer", Type::kInteger},   {"number", Type::kNumber},
    {"boolean", Type::kBoolean}, {"bytes", Type::kBytes},       {"time", Type::kTime},
    {"microTime", Type::kTime},  {"quantity", Type::kQuantity}, {"intOrString", Type::kIntOrText},
    {"any", Type::kAny},
};

// "core.v1" is "io.k8s.api.core.v1" in OpenAPI, "meta.v1" has a home of its own.
std::string public_name(std::string_view package, std::string_view type) {
  const std::string_view home = package == "meta.v1" ? "io.k8s.apimachinery.pkg.apis." : "io.k8s.api.";
  return std::string(home) + std::string(package) + "." + std::string(type);
}

class Parser {
 public:
  explicit Parser(std::span<const std::string_view> packages) {
    for (const std::string_view text : packages) declare(text);
    for (const std::string_view text : packages) define(text);
    for (auto& [name, type] : types_) add_inlined(*type);
  }

  Types take() { return std::move(types_); }

 private:
  // Types are named before they are defined: first all names, then what is in them.
  void declare(std::string_view text) {
    std::string_view package;
    for (const std::string_view line : split(text, '\n')) {
      const auto words = split(line, ' ');
      if (words.front() == "package") package = words[1];
      if (words.front() != "type" || line.front() == ' ') continue;  // a field may be called type
      auto type = std::make_shared<Schema>(Schema{.type = Type::kObject});
      type->name = public_name(package, words[1]);
      type->atomic = words.size() > 2 && words[2] == "atomic";
      if (words.size() > 2 && words[2] == "kind") {
        for (const char* field : {"apiVersion", "kind"}) {
          type->fields.push_back(
              {.name = field, .schema = std::make_shared<Schema>(Schema{.type = Type::kText})});
        }
      }
      types_.emplace(std::string(package) + "." + std::string(words[1]), std::move(type));
    }
  }

  void define(std::string_view text) {
    std::string package;
    Schema* type = nullptr;
    for (const std::string_view line : split(text, '\n')) {
      const auto words = split(line, ' ');
      if (words.front() == "package") {
        package = words[1];
      } else if (words.front() == "type" && line.front() != ' ') {
        type = find(package, words[1]).get();
      } else {
        TG_CHECK(type != nullptr && words.size() >= 3);
        define_field(package, *type, words);
      }
    }
  }

  void define_field(const std::string& package, Schema& type, const std::vector<std::string_view>& words) {
    SchemaField field{.name = std::string(words[0]), .schema = schema_for(package, words[2])};
    std::from_chars(words[1].data(), words[1].data() + words[1].size(), field.number);
    bool inlined = false;
    for (std::size_t i = 3; i < words.size(); ++i) {
      const std::string_view word = words[i];
      const std::string_view value = word.substr(std::min(word.find('=') + 1, word.size()));
      if (word == "inline") {
        inlined = true;
      } else if (word == "set") {
        field.schema->list_type = ListType::kSet;
      } else if (word.starts_with("map=")) {
        field.schema->list_type = ListType::kMap;
        for (const std::string_view key : split(value, ',')) field.schema->list_keys.emplace_back(key);
      } else if (word == "atomic") {
        TG_CHECK(field.schema->type == Type::kMap);  // made for this field alone
        field.schema->atomic = true;
      } else if (word == "retainKeys") {
        field.retain_keys = true;
      } else if (word.starts_with("merge")) {
        field.merges = true;
        if (word.find('=') != std::string_view::npos) field.merge_key = value;
      } else {
        TG_CHECK(word.starts_with("default="));
        field.otherwise = value;
      }
    }
    (inlined ? type.inlined : type.fields).push_back(std::move(field));
  }

  SchemaPtr schema_for(const std::string& package, std::string_view text) {
    if (text.starts_with("[]") || text.starts_with("{}")) {
      auto outer =
          std::make_shared<Schema>(Schema{.type = text.starts_with("[]") ? Type::kList : Type::kMap});
      outer->items = schema_for(package, text.substr(2));
      return outer;
    }
    for (const auto& [word, type] : kPlain) {
      if (word == text) return std::make_shared<Schema>(Schema{.type = type, .micro = word == "microTime"});
    }
    return find(package, text);
  }

  const SchemaPtr& find(std::string_view package, std::string_view name) {
    const bool whole = name.find('.') != std::string_view::npos;
    const auto found =
        types_.find(whole ? std::string(name) : std::string(package) + "." + std::string(name));
    TG_CHECK(found != types_.end());
    return found->second;
  }

  static void add_inlined(Schema& type) {
    for (const SchemaField& part : type.inlined) {
      for (SchemaField field : part.schema->fields) {
        field.number = 0;
        if (type.find(field.name) == nullptr) type.fields.push_back(std::move(field));
      }
    }
  }

  Types types_;
};

}  // namespace

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

Types parse_types(std::span<const std::string_view> packages) { return Parser(packages).take(); }

}  // namespace tidegate::schema
