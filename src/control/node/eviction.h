// Removing pods that do not tolerate a node's NoExecute taints.
//
// Thread: pure. Source: Kubernetes, "Taints and Tolerations" (taint-based evictions).

#pragma once

#include <optional>
#include <vector>

#include "control/loop/decision.h"

namespace tidegate::node {

// How long the pod may stay on the node, counted from now: zero: it goes; empty: as long as it likes.
std::optional<Duration> time_left(const resource::Object& node, const resource::Object& pod, WallTime now);

// Adds the removal of pods whose time is up, and when to look again.
void evict(const resource::Kind& pod_kind, const resource::Object& node,
           const std::vector<resource::ObjectPtr>& pods, WallTime now, loop::Decision& decision);

}  // namespace tidegate::node
