// What has to be written for a decision of placement: bindings, conditions, Events, evictions, and the marks
// that make scale-in go through a policy's units in reverse.
//
// Thread: pure.

#pragma once

#include <span>
#include <vector>

#include "control/loop/decision.h"
#include "control/placement/round.h"

namespace tidegate::placement {

// ReplicaSets remove pods of lower cost first.
inline constexpr std::string_view kDeletionCost = "controller.kubernetes.io/pod-deletion-cost";
// Says that kDeletionCost was written here, and for which policy.
inline constexpr std::string_view kCostOwner = "tidegate.dev/resource-policy";

void act_on(const resource::Kind& pod_kind, const Outcome& outcome, WallTime now, loop::Decision& decision);

// For a pod that waits behind scheduling gates.
void say_gated(const resource::Kind& pod_kind, const PodView& pod, WallTime now, loop::Decision& decision);

// Keeps the deletion cost of a bound pod at minus the number of its unit. A cost that the user has set stays.
void mark_for_scale_in(const resource::Kind& pod_kind, const PodView& pod, const Board& board,
                       std::span<const PolicyView> policies, loop::Decision& decision);
bool cost_is_users(const PodView& pod);

}  // namespace tidegate::placement
