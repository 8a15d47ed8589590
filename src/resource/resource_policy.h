// ResourcePolicy: in which order the pods of a workload fill groups of nodes, and when a pod may go on to the
// next group. The data centre first, the cloud after it; and back in reverse.
//
// Thread: immutable once read; any thread.
// Source: scheduling.alibabacloud.com/v1alpha1 (ACK, "Configure priority-based scheduling for elastic
// resources"; resourcepolicy_types.go); kubernetes-sigs/scheduler-plugins KEP-594 for `required`.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/quantity.h"
#include "resource/kind.h"
#include "resource/object.h"
#include "resource/selector.h"

namespace tidegate::resource {

// In a unit's podLabels: wait here for nodes to be added. A directive, never put on a pod.
inline constexpr std::string_view kWaitForScalingLabel = "k8s.aliyun.com/resource-policy-wait-for-ecs-scaling";

enum class UnitResource { kEcs, kEci, kElastic, kAcs };

struct PolicyUnit {
  UnitResource resource = UnitResource::kEcs;
  Labels node_selector;
  std::optional<std::int64_t> max;                // pods
  std::map<std::string, Quantity> max_resources;  // empty: no cap
  Labels pod_labels;                              // put on the pods of this unit; without the directive
  std::map<std::string, std::string> pod_annotations;
  bool waits_for_scaling = false;  // resource `elastic`, or the label kWaitForScalingLabel
  bool has_cap() const { return max.has_value() || !max_resources.empty(); }
};

enum class NextUnit {
  kLackResourceOrExceedMax,
  kExceedMax,
  kLackResourceAndNoTerminating,
  kTimeoutOrExceedMax,
  kTimeout,
};

struct ResourcePolicy {
  LabelSelector selector;  // empty: every pod of the namespace
  bool required = false;   // else prefer: nodes outside every unit come last
  std::vector<PolicyUnit> units;
  bool preempt_before_next_unit = false;  // else after all units
  bool ignore_previous_pod = false;
  bool ignore_terminating_pod = true;
  std::vector<std::string> match_label_keys;
  NextUnit next_unit = NextUnit::kLackResourceOrExceedMax;
  Duration timeout = std::chrono::minutes(15);

  // Errors: kInvalid with the field.
  static Result<ResourcePolicy> from(const Object& object);
};

Kind resource_policy_kind();

}  // namespace tidegate::resource
