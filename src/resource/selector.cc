#include "resource/selector.h"

#include <algorithm>

namespace tidegate::resource {
namespace {

bool holds(const Requirement& requirement, const Labels& labels) {
  const auto found = labels.find(requirement.key);
  const bool set = found != labels.end();
  const auto listed = [&] {
    return std::find(requirement.values.begin(), requirement.values.end(), found->second) !=
           requirement.values.end();
  };
  switch (requirement.op) {
    case Operator::kIn:
      return set && listed();
    case Operator::kNotIn:
      return !set || !listed();
    case Operator::kExists:
      return set;
    case Operator::kDoesNotExist:
      return !set;
  }
  return false;
}

bool contains(const Labels& labels, const Labels& pairs) {
  return std::all_of(pairs.begin(), pairs.end(), [&](const auto& pair) {
    const auto found = labels.find(pair.first);
    return found != labels.end() && found->second == pair.second;
  });
}

}  // namespace

bool LabelSelector::matches(const Labels& labels) const {
  return contains(labels, match_labels) &&
         std::all_of(match_expressions.begin(), match_expressions.end(),
                     [&](const Requirement& requirement) { return holds(requirement, labels); });
}

bool selects(const Labels& selector, const Labels& labels) {
  return !selector.empty() && contains(labels, selector);
}

std::vector<Requirement> read_requirements(Reader& parent, std::string_view field) {
  std::vector<Requirement> requirements;
  parent.each(field, {}, [&](Reader& item) {
    Requirement requirement;
    requirement.key = item.text("key", {.need = Need::kRequired, .syntax = label_key});
    requirement.op = item.choice<Operator>("operator",
                                           {{"In", Operator::kIn},
                                            {"NotIn", Operator::kNotIn},
                                            {"Exists", Operator::kExists},
                                            {"DoesNotExist", Operator::kDoesNotExist}},
                                           Operator::kExists, Need::kRequired);
    requirement.values = item.texts("values", {}, {.syntax = label_value});
    const bool wants_values = requirement.op == Operator::kIn || requirement.op == Operator::kNotIn;
    if (wants_values && requirement.values.empty()) {
      item.wrong("values", "is empty; operators In and NotIn need at least one value");
    } else if (!wants_values && !requirement.values.empty()) {
      item.wrong("values", "is set; operators Exists and DoesNotExist take no values");
    }
    requirements.push_back(std::move(requirement));
  });
  return requirements;
}

LabelSelector read_selector(Reader& parent, std::string_view field, Need need) {
  LabelSelector selector;
  Reader reader(parent, field, need);
  selector.match_labels = reader.text_map("matchLabels", Need::kOptional, label_key, label_value);
  selector.match_expressions = read_requirements(reader, "matchExpressions");
  return selector;
}

}  // namespace tidegate::resource
