#include "resource/affinity.h"

#include <algorithm>
#include <charconv>

namespace tidegate::resource {
namespace {

using Op = NodeRequirement::Op;

std::optional<std::int64_t> as_number(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

std::vector<NodeRequirement> read_node_requirements(Reader& term, std::string_view field) {
  std::vector<NodeRequirement> requirements;
  term.each(field, {}, [&](Reader& item) {
    NodeRequirement requirement;
    requirement.key = item.text("key", {.need = Need::kRequired});
    requirement.op = item.choice<Op>("operator",
                                     {{"In", Op::kIn},
                                      {"NotIn", Op::kNotIn},
                                      {"Exists", Op::kExists},
                                      {"DoesNotExist", Op::kDoesNotExist},
                                      {"Gt", Op::kGt},
                                      {"Lt", Op::kLt}},
                                     Op::kExists, Need::kRequired);
    requirement.values = item.texts("values");
    const bool compares = requirement.op == Op::kGt || requirement.op == Op::kLt;
    if (compares && (requirement.values.size() != 1 || !as_number(requirement.values[0])))
      item.wrong("values", "is no single whole number; operators Gt and Lt need one");
    requirements.push_back(std::move(requirement));
  });
  return requirements;
}

NodeTerm read_node_term(Reader& item) {
  return {.labels = read_node_requirements(item, "matchExpressions"),
          .fields = read_node_requirements(item, "matchFields")};
}

std::optional<LabelSelector> read_optional_selector(Reader& parent, std::string_view field) {
  if (!parent.has(field)) return {};
  return read_selector(parent, field);
}

PodTerm read_pod_term(Reader& item) {
  PodTerm term;
  item.open();
  term.selector = read_optional_selector(item, "labelSelector");
  term.topology_key = item.text("topologyKey", {.need = Need::kRequired});
  term.namespaces = item.texts("namespaces");
  term.namespace_selector = read_optional_selector(item, "namespaceSelector");
  term.match_label_keys = item.texts("matchLabelKeys");
  return term;
}

constexpr std::string_view kRequiredField = "requiredDuringSchedulingIgnoredDuringExecution";
constexpr std::string_view kPreferredField = "preferredDuringSchedulingIgnoredDuringExecution";
constexpr IntegerRule kWeight = {.min = 1, .max = 100, .need = Need::kRequired};

void read_pod_affinity(Reader& affinity, std::string_view field, std::vector<PodTerm>& required,
                       std::vector<PreferredPodTerm>& preferred) {
  Reader reader(affinity, field);
  reader.open();
  reader.each(kRequiredField, {}, [&](Reader& item) { required.push_back(read_pod_term(item)); });
  reader.each(kPreferredField, {}, [&](Reader& item) {
    const std::int64_t weight = item.integer("weight", kWeight).value_or(1);
    Reader term(item, "podAffinityTerm", Need::kRequired);
    preferred.push_back({weight, read_pod_term(term)});
  });
}

}  // namespace

bool NodeRequirement::holds(const std::string* value) const {
  const auto listed = [&] { return std::find(values.begin(), values.end(), *value) != values.end(); };
  switch (op) {
    case Op::kIn:
      return value != nullptr && listed();
    case Op::kNotIn:
      return value == nullptr || !listed();
    case Op::kExists:
      return value != nullptr;
    case Op::kDoesNotExist:
      return value == nullptr;
    case Op::kGt:
    case Op::kLt: {
      if (value == nullptr || values.empty()) return false;
      const auto has = as_number(*value);
      const auto bound = as_number(values[0]);
      return has && bound && (op == Op::kGt ? *has > *bound : *has < *bound);
    }
  }
  return false;
}

bool NodeTerm::matches(const Labels& node_labels, const std::string& node_name) const {
  if (labels.empty() && fields.empty()) return false;
  const auto of_labels = [&](const NodeRequirement& requirement) {
    const auto found = node_labels.find(requirement.key);
    return requirement.holds(found == node_labels.end() ? nullptr : &found->second);
  };
  const auto of_fields = [&](const NodeRequirement& requirement) {
    return requirement.key == "metadata.name" && requirement.holds(&node_name);
  };
  return std::all_of(labels.begin(), labels.end(), of_labels) &&
         std::all_of(fields.begin(), fields.end(), of_fields);
}

bool Affinity::allows(const Labels& node_labels, const std::string& node_name) const {
  return !node_required || std::any_of(node_required->begin(), node_required->end(), [&](const NodeTerm& term) {
    return term.matches(node_labels, node_name);
  });
}

Affinity read_affinity(Reader& pod_spec) {
  Affinity affinity;
  Reader reader(pod_spec, "affinity");
  reader.open();
  Reader node(reader, "nodeAffinity");
  node.open();
  if (node.has(kRequiredField)) {
    Reader required(node, kRequiredField);
    affinity.node_required.emplace();
    required.each("nodeSelectorTerms", {.min = 1, .need = Need::kRequired},
                  [&](Reader& item) { affinity.node_required->push_back(read_node_term(item)); });
  }
  node.each(kPreferredField, {}, [&](Reader& item) {
    const std::int64_t weight = item.integer("weight", kWeight).value_or(1);
    Reader term(item, "preference", Need::kRequired);
    affinity.node_preferred.push_back({weight, read_node_term(term)});
  });
  read_pod_affinity(reader, "podAffinity", affinity.pod_required, affinity.pod_preferred);
  read_pod_affinity(reader, "podAntiAffinity", affinity.anti_required, affinity.anti_preferred);
  return affinity;
}

std::vector<SpreadConstraint> read_spread(Reader& pod_spec) {
  std::vector<SpreadConstraint> constraints;
  pod_spec.each("topologySpreadConstraints", {.max = 100}, [&](Reader& item) {
    item.open();
    SpreadConstraint constraint;
    constraint.max_skew =
        item.integer("maxSkew", {.min = 1, .max = kInt32Max, .need = Need::kRequired}).value_or(1);
    constraint.topology_key = item.text("topologyKey", {.need = Need::kRequired});
    constraint.required = item.choice<bool>(
        "whenUnsatisfiable", {{"DoNotSchedule", true}, {"ScheduleAnyway", false}}, true, Need::kRequired);
    constraint.selector = read_optional_selector(item, "labelSelector");
    constraint.min_domains = item.integer("minDomains", {.min = 1, .max = kInt32Max}).value_or(1);
    constraint.match_label_keys = item.texts("matchLabelKeys");
    constraints.push_back(std::move(constraint));
  });
  return constraints;
}

}  // namespace tidegate::resource
