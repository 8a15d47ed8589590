// Making room by evicting pods of lower priority: on which node, and whom.
//
// On each node that eviction could open, all lower pods leave in thought and the highest come back one by one
// as far as they fit, those that a PodDisruptionBudget protects first. The node with the fewest broken budgets
// wins, then that with the least important victims.
//
// Thread: pure.
// Source: kubernetes/kubernetes pkg/scheduler/framework/preemption (SelectVictimsOnNode, pickOneNode).

#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "control/placement/board.h"
#include "control/placement/filter.h"

namespace tidegate::placement {

struct Preemption {
  std::string node;  // empty: none helps
  std::vector<PodPtr> victims;
  std::string message;  // "preemption: 0/2 nodes are available: ..."
};

// `places` are those that the pod may use if there were room, with what speaks against each.
Preemption preempt(const Board& board, const PodView& pod, std::span<const Budget> budgets,
                   const std::vector<std::pair<const Place*, Why>>& places);

}  // namespace tidegate::placement
