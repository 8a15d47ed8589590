// Pods bound to a node that does not exist: nobody will ever end them, so they are removed after a while.
//
// Thread: pure. Source: Kubernetes pkg/controller/podgc (orphaned pods, quarantine of 40 s).

#pragma once

#include <vector>

#include "control/loop/decision.h"

namespace tidegate::node {

inline constexpr Duration kQuarantine = std::chrono::seconds(40);

// `missing_since`: when the node was first seen to be missing. A pod that is being deleted has its grace
// first.
loop::Decision decide_orphans(const resource::Kind& pod_kind, const std::vector<resource::ObjectPtr>& pods,
                              WallTime missing_since, WallTime now);

}  // namespace tidegate::node
