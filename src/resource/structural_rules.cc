// Rules in CEL, over a document whose types are right.

#include "resource/fields.h"
#include "resource/structural.h"
#include "resource/structural_node.h"

namespace tidegate::resource {
namespace {

using Node = StructuralNode;

constexpr std::size_t kErrorsMax = 100;
constexpr std::size_t kMessageMax = 2000;

const char* type_name(const Node& node, const Json& value) {
  if (value.is_object()) return "object";
  if (value.is_array()) return "array";
  if (value.is_string()) return "string";
  if (value.is_boolean()) return "boolean";
  return node.type == Node::Type::kNumber || value.is_number_float() ? "number" : "integer";
}

// The item of a list by its keys, as it was; null if there was none.
const Json* item_before(const Node& list, const Json& item, const Json* before) {
  if (before == nullptr || !before->is_array() || list.list_type != ListType::kMap || !item.is_object()) return nullptr;
  for (const Json& each : *before) {
    bool same = each.is_object();
    for (const std::string& key : list.list_keys) {
      const auto own = item.find(key);
      const auto other = same ? each.find(key) : each.end();
      same = same && (own == item.end()) == (other == each.end()) && (own == item.end() || *own == *other);
    }
    if (same) return &each;
  }
  return nullptr;
}

class RuleChecker {
 public:
  RuleChecker(bool changes, std::vector<Error>& errors) : changes_(changes), errors_(errors) {}

  void check(const Node& node, const Json& value, const Json* before, const std::string& path) {
    if (!node.has_expressions || value.is_null() || errors_.size() >= kErrorsMax) return;
    if (before != nullptr && before->is_null()) before = nullptr;
    // About a change only where there was something.
    if (changes_ && before == nullptr) return;
    for (const StructuralRule& rule : node.expressions) {
      if (rule.on_change == changes_) check_rule(rule, node, value, before, path);
    }
    const std::string prefix = path.empty() ? std::string() : path + ".";
    for (auto member = value.begin(); value.is_object() && member != value.end(); ++member) {
      const auto field = node.fields.find(member.key());
      const Node* below = field != node.fields.end() ? field->second.get() : node.additional.get();
      const Json* old = before != nullptr && before->is_object() && before->contains(member.key())
                            ? &(*before)[member.key()]
                            : nullptr;
      if (below != nullptr) check(*below, *member, old, prefix + member.key());
    }
    for (std::size_t i = 0; node.items != nullptr && value.is_array() && i < value.size(); ++i) {
      check(*node.items, value[i], item_before(node, value[i], before), path + "[" + std::to_string(i) + "]");
    }
  }

 private:
  // A rule whose values do not fit together here is as one that is not understood.
  void check_rule(const StructuralRule& rule, const Node& node, const Json& value, const Json* before,
                  const std::string& path) {
    cel::Variables variables{{"self", &value}};
    if (rule.on_change) variables.emplace_back("oldSelf", before);
    const auto holds = rule.rule.evaluate(variables, budget_);
    if (!holds && holds.error().code != Code::kInvalid) return;
    if (holds && (!holds->is_boolean() || *holds == true)) return;
    std::string said = message(rule, variables);
    if (!holds) said = holds.error().message + " evaluating rule: " + said;
    const std::string type = std::string("\"") + type_name(node, value) + "\"";
    std::string head = "Invalid value: " + type;
    if (holds && rule.reason == "FieldValueForbidden") head = "Forbidden";
    if (holds && rule.reason == "FieldValueRequired") head = "Required value";
    if (holds && rule.reason == "FieldValueDuplicate") head = "Duplicate value: " + type;
    errors_.push_back({Code::kInvalid, place(rule, path), head + ": " + said});
  }

  std::string message(const StructuralRule& rule, const cel::Variables& variables) {
    if (rule.message_rule) {
      const auto told = rule.message_rule->evaluate(variables, budget_);
      if (told && told->is_string() && *told != "") return told->get<std::string>().substr(0, kMessageMax);
    }
    return rule.message.empty() ? "failed rule: " + rule.text : rule.message;
  }

  // What stands nowhere is called as Go calls it.
  static std::string place(const StructuralRule& rule, const std::string& path) {
    if (rule.field.empty()) return path.empty() ? "<nil>" : path;
    return path.empty() && rule.field.starts_with('.') ? rule.field.substr(1) : path + rule.field;
  }

  const bool changes_;
  std::vector<Error>& errors_;
  cel::Budget budget_;
};

}  // namespace

std::string why_unchecked(const Json& rule) {
  if (!rule.is_object()) return {};
  if (flag(rule, "optionalOldSelf")) return "optional values are not understood here";
  const auto parsed = cel::Expression::parse(text(rule, "rule"));
  return parsed ? std::string() : parsed.error().message;
}

void Structural::check_rules(const Json& document, const Json* before, std::vector<Error>& errors) const {
  RuleChecker(before != nullptr, errors).check(*root_, document, before, "");
}

}  // namespace tidegate::resource
