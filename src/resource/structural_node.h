// What a structural schema is made of. For structural*.cc alone; see structural.h.

#pragma once

#include <re2/re2.h>

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cel/expression.h"
#include "resource/object.h"
#include "resource/schema.h"

namespace tidegate::resource {

struct StructuralNode;
using StructuralNodePtr = std::unique_ptr<StructuralNode>;

// What a value has to keep to beside its type. Most nodes have none.
struct StructuralRules {
  std::optional<Json> words;  // a list: enum
  std::optional<double> min, max, multiple_of;
  bool above = false, below = false;  // the bound itself is wrong
  std::optional<std::uint64_t> length_min, length_max, items_min, items_max, fields_min, fields_max;
  std::unique_ptr<re2::RE2> pattern;
  std::string format;
  std::vector<StructuralNodePtr> all_of, any_of, one_of;
  StructuralNodePtr none_of;
};

// One of x-kubernetes-validations.
struct StructuralRule {
  cel::Expression rule;
  std::string text;  // of the rule
  bool on_change;    // it looks at what was there before
  std::string message;
  std::optional<cel::Expression> message_rule;
  std::string reason;
  std::string field;  // below the place of the rule, with a dot in front
};

struct StructuralNode {
  enum class Type { kAny, kObject, kList, kText, kInteger, kNumber, kBoolean };

  Type type = Type::kAny;
  bool nullable = false;
  bool int_or_text = false;
  bool preserve = false;  // unknown fields stay
  bool embedded = false;  // an object with apiVersion, kind and metadata of its own
  bool atomic = false;
  ListType list_type = ListType::kAtomic;
  std::vector<std::string> list_keys;
  std::map<std::string, StructuralNodePtr, std::less<>> fields;
  StructuralNodePtr items;       // of a list
  StructuralNodePtr additional;  // of an object whose keys are data
  std::vector<std::string> required;
  std::optional<Json> otherwise;  // the default
  std::unique_ptr<StructuralRules> rules;
  std::vector<StructuralRule> expressions;
  bool has_expressions = false;  // here or below
};

// What is wrong with `value` under `node`, which stands at `path`.
void check_structural(const StructuralNode& node, const Json& value, const std::string& path,
                      std::vector<Error>& errors);

}  // namespace tidegate::resource
