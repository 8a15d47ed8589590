// Reading a structural schema, and what is wrong with one.

#include "resource/json.h"
#include "resource/structural.h"
#include "resource/structural_node.h"

namespace tidegate::resource {
namespace {

using Node = StructuralNode;
using Rules = StructuralRules;

constexpr std::size_t kErrorsMax = 100;
constexpr std::size_t kPatternMax = 10'000;        // characters
constexpr std::int64_t kPatternMemory = 1 << 20;  // bytes, of one compiled expression

class SchemaReader {
 public:
  explicit SchemaReader(std::vector<Error>& errors) : errors_(errors) {}

  // `junctor`: below allOf, anyOf, oneOf or not, where a type need not be told.
  StructuralNodePtr node(const Json& json, const std::string& path, bool junctor) {
    auto made = std::make_unique<Node>();
    if (!json.is_object()) {
      wrong(path, "Invalid value: must be an object");
      return made;
    }
    read_type(json, path, junctor, *made);
    read_fields(json, path, junctor, *made);
    read_list(json, path, junctor, *made);
    made->rules = rules(json, path);
    if (json.contains("$ref")) wrong(path + ".$ref", "Forbidden: $ref is not supported");
    if (!junctor) read_expressions(json, path, *made);
    if (const auto found = json.find("default"); found != json.end()) read_default(*found, path, *made);
    return made;
  }

  bool has_defaults() const { return has_defaults_; }

 private:
  void wrong(const std::string& path, std::string message) {
    if (errors_.size() < kErrorsMax) errors_.push_back({Code::kInvalid, path, std::move(message)});
  }

  bool flag(const Json& json, const std::string& path, const char* name) {
    const auto found = json.find(name);
    if (found == json.end() || found->is_null()) return false;
    if (!found->is_boolean()) wrong(path + "." + name, "Invalid value: must be true or false");
    return *found == true;
  }

  std::string text(const Json& json, const std::string& path, const char* name) {
    const auto found = json.find(name);
    if (found == json.end() || found->is_null()) return {};
    if (found->is_string()) return found->get<std::string>();
    wrong(path + "." + name, "Invalid value: must be a text");
    return {};
  }

  std::vector<std::string> texts(const Json& json, const std::string& path, const char* name) {
    std::vector<std::string> all;
    const auto found = json.find(name);
    if (found == json.end() || found->is_null()) return all;
    bool right = found->is_array();
    for (const Json& each : right ? *found : Json::array()) {
      right = right && each.is_string();
      if (each.is_string()) all.push_back(each.get<std::string>());
    }
    if (!right) wrong(path + "." + name, "Invalid value: must be a list of texts");
    return all;
  }

  template <typename T>
  std::optional<T> number(const Json& json, const std::string& path, const char* name) {
    const auto found = json.find(name);
    if (found == json.end() || found->is_null()) return std::nullopt;
    const bool right = std::is_same_v<T, double> ? found->is_number() : found->is_number_unsigned();
    if (right) return found->get<T>();
    wrong(path + "." + name, "Invalid value: must be a number");
    return std::nullopt;
  }

  void read_type(const Json& json, const std::string& path, bool junctor, Node& made) {
    static const std::map<std::string, Node::Type, std::less<>> kTypes = {
        {"object", Node::Type::kObject},   {"array", Node::Type::kList},    {"string", Node::Type::kText},
        {"integer", Node::Type::kInteger}, {"number", Node::Type::kNumber}, {"boolean", Node::Type::kBoolean}};
    made.nullable = flag(json, path, "nullable");
    made.int_or_text = flag(json, path, "x-kubernetes-int-or-string");
    made.preserve = flag(json, path, "x-kubernetes-preserve-unknown-fields");
    made.embedded = flag(json, path, "x-kubernetes-embedded-resource");
    const std::string type = text(json, path, "type");
    const auto known = kTypes.find(type);
    if (known != kTypes.end()) made.type = known->second;
    if (type.empty() && !junctor && !made.int_or_text && !made.preserve) {
      wrong(path + ".type", "Required value: must not be empty for specified object fields");
    }
    if (!type.empty() && known == kTypes.end()) {
      wrong(path + ".type", "Unsupported value: " + quoted(type) +
                                ": supported values: \"array\", \"boolean\", \"integer\", \"number\", \"object\", \"string\"");
    }
    if (made.int_or_text && !type.empty()) {
      wrong(path + ".type", "Forbidden: must be empty if x-kubernetes-int-or-string is true");
    }
    if (made.embedded && made.type == Node::Type::kAny) made.type = Node::Type::kObject;
  }

  void read_fields(const Json& json, const std::string& path, bool junctor, Node& made) {
    made.required = texts(json, path, "required");
    made.atomic = text(json, path, "x-kubernetes-map-type") == "atomic";
    if (const auto found = json.find("properties"); found != json.end() && !found->is_null()) {
      if (!found->is_object()) wrong(path + ".properties", "Invalid value: must be an object");
      for (auto field = found->begin(); found->is_object() && field != found->end(); ++field) {
        made.fields[field.key()] = node(*field, path + ".properties[" + field.key() + "]", junctor);
      }
    }
    const auto more = json.find("additionalProperties");
    if (more == json.end() || more->is_null() || *more == false) return;
    if (!made.fields.empty()) {
      wrong(path + ".additionalProperties", "Forbidden: additionalProperties and properties are mutual exclusive");
    } else if (more->is_boolean()) {
      made.preserve = true;
    } else {
      made.additional = node(*more, path + ".additionalProperties", junctor);
    }
  }

  void read_list(const Json& json, const std::string& path, bool junctor, Node& made) {
    if (const auto found = json.find("items"); found != json.end() && !found->is_null()) {
      made.items = node(*found, path + ".items", junctor);
    } else if (made.type == Node::Type::kList && !junctor) {
      wrong(path + ".items", "Required value: must be specified");
    }
    const std::string type = text(json, path, "x-kubernetes-list-type");
    made.list_keys = texts(json, path, "x-kubernetes-list-map-keys");
    if (type == "set") made.list_type = ListType::kSet;
    if (type == "map") made.list_type = ListType::kMap;
    if (!type.empty() && type != "set" && type != "map" && type != "atomic") {
      wrong(path + ".x-kubernetes-list-type",
            "Unsupported value: " + quoted(type) + ": supported values: \"atomic\", \"map\", \"set\"");
    }
    if (made.list_type == ListType::kMap && made.list_keys.empty()) {
      wrong(path + ".x-kubernetes-list-map-keys",
            "Required value: must not be empty if x-kubernetes-list-type is map");
    }
    if (flag(json, path, "uniqueItems")) {
      wrong(path + ".uniqueItems",
            "Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic");
    }
  }

  std::unique_ptr<Rules> rules(const Json& json, const std::string& path) {
    auto made = std::make_unique<Rules>();
    made->min = number<double>(json, path, "minimum");
    made->max = number<double>(json, path, "maximum");
    made->multiple_of = number<double>(json, path, "multipleOf");
    made->above = flag(json, path, "exclusiveMinimum");
    made->below = flag(json, path, "exclusiveMaximum");
    made->length_min = number<std::uint64_t>(json, path, "minLength");
    made->length_max = number<std::uint64_t>(json, path, "maxLength");
    made->items_min = number<std::uint64_t>(json, path, "minItems");
    made->items_max = number<std::uint64_t>(json, path, "maxItems");
    made->fields_min = number<std::uint64_t>(json, path, "minProperties");
    made->fields_max = number<std::uint64_t>(json, path, "maxProperties");
    made->format = text(json, path, "format");
    if (const auto found = json.find("enum"); found != json.end() && found->is_array()) made->words = *found;
    made->pattern = pattern(json, path);
    made->all_of = junctors(json, path, "allOf");
    made->any_of = junctors(json, path, "anyOf");
    made->one_of = junctors(json, path, "oneOf");
    if (const auto found = json.find("not"); found != json.end() && !found->is_null()) {
      made->none_of = node(*found, path + ".not", true);
    }
    const bool any = made->min || made->max || made->multiple_of || made->length_min || made->length_max ||
                     made->items_min || made->items_max || made->fields_min || made->fields_max ||
                     !made->format.empty() || made->words || made->pattern || !made->all_of.empty() ||
                     !made->any_of.empty() || !made->one_of.empty() || made->none_of;
    return any ? std::move(made) : nullptr;
  }

  std::unique_ptr<re2::RE2> pattern(const Json& json, const std::string& path) {
    const std::string expression = text(json, path, "pattern");
    if (expression.empty()) return nullptr;
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kPatternMemory);
    auto compiled = std::make_unique<re2::RE2>(expression.substr(0, kPatternMax), options);
    if (expression.size() <= kPatternMax && compiled->ok()) return compiled;
    wrong(path + ".pattern", "Invalid value: " + quoted(expression) +
                                 ": must be a valid regular expression, but isn't: " + compiled->error().substr(0, 200));
    return nullptr;
  }

  void read_expressions(const Json& json, const std::string& path, Node& made) {
    const std::string place = path + ".x-kubernetes-validations";
    if (const auto found = json.find("x-kubernetes-validations"); found != json.end() && !found->is_null()) {
      if (!found->is_array()) wrong(place, "Invalid value: must be a list");
      for (std::size_t i = 0; found->is_array() && i < found->size(); ++i) {
        read_expression((*found)[i], place + "[" + std::to_string(i) + "]", made);
      }
    }
    made.has_expressions = !made.expressions.empty() || (made.items && made.items->has_expressions) ||
                           (made.additional && made.additional->has_expressions);
    for (const auto& [name, field] : made.fields) made.has_expressions |= field->has_expressions;
  }

  void read_expression(const Json& json, const std::string& path, Node& made) {
    if (!json.is_object()) return wrong(path, "Invalid value: must be an object");
    const std::string rule = text(json, path, "rule");
    if (rule.find_first_not_of(" \t\r\n") == std::string::npos)
      return wrong(path + ".rule", "Required value: rule is not specified");
    auto parsed = cel::Expression::parse(rule);
    if (!parsed || !why_unchecked(json).empty()) return;
    StructuralRule kept{.rule = *parsed,
                        .text = rule,
                        .on_change = parsed->mentions("oldSelf"),
                        .message = text(json, path, "message"),
                        .message_rule = {},
                        .reason = text(json, path, "reason"),
                        .field = text(json, path, "fieldPath")};
    if (const std::string message = text(json, path, "messageExpression"); !message.empty()) {
      if (auto told = cel::Expression::parse(message)) kept.message_rule = *std::move(told);
    }
    made.expressions.push_back(std::move(kept));
  }

  std::vector<StructuralNodePtr> junctors(const Json& json, const std::string& path, const char* name) {
    std::vector<StructuralNodePtr> all;
    const auto found = json.find(name);
    if (found == json.end() || found->is_null()) return all;
    if (!found->is_array()) {
      wrong(path + "." + name, "Invalid value: must be a list");
      return all;
    }
    for (std::size_t i = 0; i < found->size(); ++i) {
      all.push_back(node((*found)[i], path + "." + name + "[" + std::to_string(i) + "]", true));
    }
    return all;
  }

  void read_default(const Json& value, const std::string& path, Node& made) {
    std::vector<Error> errors;
    check_structural(made, value, path + ".default", errors);
    for (Error& error : errors) wrong(error.field, std::move(error.message));
    if (!errors.empty()) return;
    made.otherwise = value;
    has_defaults_ = true;
  }

  static std::string quoted(const std::string& text) { return to_text(Json(text.substr(0, 100))); }

  std::vector<Error>& errors_;
  bool has_defaults_ = false;
};

}  // namespace

Structural::Structural() = default;
Structural::~Structural() = default;

std::shared_ptr<const Structural> Structural::read(const Json& schema, const std::string& path,
                                                   std::vector<Error>& errors) {
  auto made = std::make_shared<Structural>();
  SchemaReader reader(errors);
  made->root_ = reader.node(schema, path, false);
  made->has_defaults_ = reader.has_defaults();
  if (made->root_->type != Node::Type::kObject && made->root_->type != Node::Type::kAny) {
    errors.push_back({Code::kInvalid, path + ".type", "Invalid value: must be object at the root"});
  }
  if (made->root_->additional != nullptr) {
    errors.push_back({Code::kInvalid, path + ".additionalProperties", "Forbidden: must not be used at the root"});
  }
  made->root_->type = Node::Type::kObject;
  made->root_->additional = nullptr;
  return made;
}

}  // namespace tidegate::resource
