// PodDisruptionBudget: how many of its pods may be evicted now.
//
// Thread: pure. Source: Kubernetes pkg/controller/disruption, policy/v1.

#pragma once

#include <vector>

#include "control/loop/decision.h"
#include "control/workload/pods.h"

namespace tidegate::workload {

// `pods` are all of the budget's namespace; `sets` and `deployments` too: they say how many pods there should
// be, which a percentage and maxUnavailable are counted from.
loop::Decision decide_disruption(const resource::Kind& budget_kind, const resource::Object& budget,
                                 const std::vector<PodFacts>& pods,
                                 const std::vector<resource::ObjectPtr>& sets,
                                 const std::vector<resource::ObjectPtr>& deployments, WallTime now);

}  // namespace tidegate::workload
