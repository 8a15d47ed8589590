// What is wrong with a document under a structural schema, in Kubernetes' words.

#include <cmath>
#include <set>

#include "resource/json.h"
#include "resource/structural.h"
#include "resource/structural_node.h"
#include "resource/structural_formats.h"

namespace tidegate::resource {
namespace {

using Node = StructuralNode;
using Rules = StructuralRules;

constexpr std::size_t kErrorsMax = 100;
constexpr std::size_t kShownMax = 200;

std::string shown(const Json& value) {
  std::string text = to_text(value);
  if (text.size() > kShownMax) text = text.substr(0, kShownMax) + "...";
  return text;
}

// "1.5", and "10" for ten.
std::string bound_text(double bound) {
  const bool whole = std::nearbyint(bound) == bound && std::abs(bound) < 1e15;
  return whole ? std::to_string(static_cast<long long>(bound)) : Json(bound).dump();
}

const char* type_name(const Json& value) {
  if (value.is_null()) return "null";
  if (value.is_object()) return "object";
  if (value.is_array()) return "array";
  if (value.is_string()) return "string";
  if (value.is_boolean()) return "boolean";
  return value.is_number_float() ? "number" : "integer";
}

bool is_whole(const Json& value) {
  if (value.is_number_integer()) return true;
  return value.is_number_float() && std::nearbyint(value.get<double>()) == value.get<double>();
}

std::size_t characters(const std::string& text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
  return count;
}

class Checker {
 public:
  explicit Checker(std::vector<Error>& errors) : errors_(errors) {}

  void check(const Node& node, const Json& value, const std::string& path) {
    if (errors_.size() >= kErrorsMax) return;
    if (value.is_null() && (node.nullable || node.type == Node::Type::kAny)) return;
    if (!check_type(node, value, path)) return;
    if (value.is_object()) check_object(node, value, path);
    if (value.is_array()) check_list(node, value, path);
    if (node.rules != nullptr) check_rules(*node.rules, value, path);
  }

 private:
  void wrong(const std::string& path, std::string message) {
    if (errors_.size() < kErrorsMax) errors_.push_back({Code::kInvalid, path, std::move(message)});
  }
  void unfit(const std::string& path, const Json& value, const std::string& should) {
    wrong(path, "Invalid value: " + shown(value) + ": " + path + " in body should " + should);
  }

  bool check_type(const Node& node, const Json& value, const std::string& path) {
    const char* wanted = nullptr;
    using Type = Node::Type;
    if (node.int_or_text && !is_whole(value) && !value.is_string()) wanted = "integer,string";
    if (node.type == Type::kObject && !value.is_object()) wanted = "object";
    if (node.type == Type::kList && !value.is_array()) wanted = "array";
    if (node.type == Type::kText && !value.is_string()) wanted = "string";
    if (node.type == Type::kBoolean && !value.is_boolean()) wanted = "boolean";
    if (node.type == Type::kInteger && !is_whole(value)) wanted = "integer";
    if (node.type == Type::kNumber && !value.is_number()) wanted = "number";
    if (wanted == nullptr) return true;
    const std::string given = std::string("\"") + type_name(value) + "\"";
    wrong(path, "Invalid value: " + given + ": " + path + " in body must be of type " + wanted + ": " + given);
    return false;
  }

  void check_object(const Node& node, const Json& value, const std::string& path) {
    const std::string prefix = path.empty() ? std::string() : path + ".";
    for (const std::string& name : node.required) {
      if (!value.contains(name)) wrong(prefix + name, "Required value");
    }
    for (const char* name : {"apiVersion", "kind"}) {
      if (node.embedded && !value.contains(name)) wrong(prefix + name, "Required value: must not be empty");
    }
    if (node.fields.empty() && node.additional == nullptr) return;
    for (const auto& member : value.items()) {
      const auto field = node.fields.find(member.key());
      if (field != node.fields.end()) {
        check(*field->second, member.value(), prefix + member.key());
      } else if (node.additional != nullptr) {
        check(*node.additional, member.value(), prefix + member.key());
      }
    }
  }

  void check_list(const Node& node, const Json& value, const std::string& path) {
    const auto place = [&](std::size_t i) { return path + "[" + std::to_string(i) + "]"; };
    for (std::size_t i = 0; node.items != nullptr && i < value.size(); ++i) check(*node.items, value[i], place(i));
    if (node.list_type == ListType::kAtomic) return;
    std::set<std::string> seen;
    for (std::size_t i = 0; i < value.size(); ++i) {
      Json key = value[i];
      if (node.list_type == ListType::kMap) {
        key = Json::object();
        for (const std::string& name : node.list_keys) {
          if (value[i].is_object() && value[i].contains(name)) key[name] = value[i][name];
        }
      }
      if (!seen.insert(to_text(key)).second) wrong(place(i), "Duplicate value: " + shown(key));
    }
  }

  void check_rules(const Rules& rules, const Json& value, const std::string& path) {
    if (rules.words) check_words(*rules.words, value, path);
    if (value.is_number()) check_number(rules, value, path);
    if (value.is_string()) check_text(rules, value, path);
    if (value.is_array()) check_count(rules.items_min, rules.items_max, "items", value, path);
    if (value.is_object()) check_count(rules.fields_min, rules.fields_max, "properties", value, path);
    check_junctors(rules, value, path);
  }

  void check_words(const Json& words, const Json& value, const std::string& path) {
    std::string all;
    for (const Json& word : words) {
      if (word == value) return;
      all += (all.empty() ? "" : ", ") + shown(word);
    }
    wrong(path, "Unsupported value: " + shown(value) + ": supported values: " + all.substr(0, 2000));
  }

  void check_number(const Rules& rules, const Json& value, const std::string& path) {
    const double number = value.get<double>();
    if (rules.min && (rules.above ? number <= *rules.min : number < *rules.min)) {
      unfit(path, value, (rules.above ? "be greater than " : "be greater than or equal to ") + bound_text(*rules.min));
    }
    if (rules.max && (rules.below ? number >= *rules.max : number > *rules.max)) {
      unfit(path, value, (rules.below ? "be less than " : "be less than or equal to ") + bound_text(*rules.max));
    }
    if (rules.multiple_of && *rules.multiple_of > 0) {
      const double quotient = number / *rules.multiple_of;
      if (std::abs(quotient - std::nearbyint(quotient)) > 1e-9)
        unfit(path, value, "be a multiple of " + bound_text(*rules.multiple_of));
    }
  }

  void check_text(const Rules& rules, const Json& value, const std::string& path) {
    const auto& text = value.get_ref<const std::string&>();
    if (rules.length_min && characters(text) < *rules.length_min) {
      unfit(path, value, "be at least " + std::to_string(*rules.length_min) + " chars long");
    }
    if (rules.length_max && characters(text) > *rules.length_max) {
      wrong(path, "Too long: may not be more than " + std::to_string(*rules.length_max) + " bytes");
    }
    if (rules.pattern != nullptr && !re2::RE2::PartialMatch(text, *rules.pattern)) {
      unfit(path, value, "match '" + rules.pattern->pattern().substr(0, kShownMax) + "'");
    }
    if (!has_format(rules.format, text)) {
      wrong(path, "Invalid value: " + shown(value) + ": " + path + " in body must be of type " + rules.format + ": " +
                      shown(value));
    }
  }

  void check_count(const std::optional<std::uint64_t>& min, const std::optional<std::uint64_t>& max,
                   const char* what, const Json& value, const std::string& path) {
    if (min && value.size() < *min) unfit(path, value, "have at least " + std::to_string(*min) + " " + what);
    if (max && value.size() > *max) {
      wrong(path, "Too many: " + std::to_string(value.size()) + ": must have at most " + std::to_string(*max) + " items");
    }
  }

  static bool fits(const Node& node, const Json& value, const std::string& path) {
    std::vector<Error> errors;
    Checker(errors).check(node, value, path);
    return errors.empty();
  }

  void check_junctors(const Rules& rules, const Json& value, const std::string& path) {
    const auto count = [&](const std::vector<StructuralNodePtr>& nodes) {
      std::size_t fit = 0;
      for (const auto& node : nodes) fit += fits(*node, value, path) ? 1 : 0;
      return fit;
    };
    const auto says = [&](const std::string& what) {
      wrong(path, "Invalid value: " + shown(value) + ": \"" + path + "\" must " + what);
    };
    for (const auto& node : rules.all_of) check(*node, value, path);
    if (!rules.any_of.empty() && count(rules.any_of) == 0) says("validate at least one schema (anyOf)");
    if (!rules.one_of.empty()) {
      const std::size_t fit = count(rules.one_of);
      if (fit == 0) says("validate one and only one schema (oneOf). Found none valid");
      if (fit > 1) says("validate one and only one schema (oneOf). Found " + std::to_string(fit) + " valid alternatives");
    }
    if (rules.none_of != nullptr && fits(*rules.none_of, value, path)) says("not validate the schema (not)");
  }

  std::vector<Error>& errors_;
};

}  // namespace

void check_structural(const StructuralNode& node, const Json& value, const std::string& path,
                      std::vector<Error>& errors) {
  Checker(errors).check(node, value, path);
}

void Structural::validate(const Json& document, std::vector<Error>& errors) const {
  check_structural(*root_, document, "", errors);
}

}  // namespace tidegate::resource
