// Where a pod may and would like to run: node affinity, pod affinity and anti-affinity, topology spread.
//
// Thread: immutable once read; any thread.
// Source: Kubernetes core/v1 Affinity, TopologySpreadConstraint.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resource/reader.h"
#include "resource/selector.h"

namespace tidegate::resource {

struct NodeRequirement {
  enum class Op { kIn, kNotIn, kExists, kDoesNotExist, kGt, kLt };
  std::string key;
  Op op = Op::kExists;
  std::vector<std::string> values;
  // `value` is what the node has under the key; null if it has none.
  bool holds(const std::string* value) const;
};

// All of its requirements hold. One without any matches nothing.
struct NodeTerm {
  std::vector<NodeRequirement> labels;
  std::vector<NodeRequirement> fields;  // only metadata.name
  bool matches(const Labels& node_labels, const std::string& node_name) const;
};

struct PreferredNodeTerm {
  std::int64_t weight = 1;
  NodeTerm term;
};

struct PodTerm {
  std::optional<LabelSelector> selector;  // none: selects no pod
  std::string topology_key;
  std::vector<std::string> namespaces;              // with neither: the pod's own
  std::optional<LabelSelector> namespace_selector;  // an empty one: every namespace
  std::vector<std::string> match_label_keys;
};

struct PreferredPodTerm {
  std::int64_t weight = 1;
  PodTerm term;
};

struct Affinity {
  std::optional<std::vector<NodeTerm>> node_required;  // one of them matches
  std::vector<PreferredNodeTerm> node_preferred;
  std::vector<PodTerm> pod_required;
  std::vector<PodTerm> anti_required;
  std::vector<PreferredPodTerm> pod_preferred;
  std::vector<PreferredPodTerm> anti_preferred;

  bool allows(const Labels& node_labels, const std::string& node_name) const;
};

struct SpreadConstraint {
  std::int64_t max_skew = 1;
  std::string topology_key;
  bool required = true;  // DoNotSchedule, else ScheduleAnyway
  std::optional<LabelSelector> selector;
  std::int64_t min_domains = 1;
  std::vector<std::string> match_label_keys;
};

Affinity read_affinity(Reader& pod_spec);
std::vector<SpreadConstraint> read_spread(Reader& pod_spec);

}  // namespace tidegate::resource
