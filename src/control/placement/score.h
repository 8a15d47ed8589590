// Which of the nodes that fit is best: kube-scheduler's scores with its weights, and one of our own for GPUs
// and other things counted in pieces. Those are packed, so that machines empty and can be given back, and
// pods that need none keep off the nodes that have them.
//
// Thread: pure.
// Source: kubernetes/kubernetes pkg/scheduler/framework/plugins (TaintToleration 3, NodeAffinity 2,
// PodTopologySpread 2, InterPodAffinity 2, NodeResourcesFit 1, BalancedAllocation 1).

#pragma once

#include <vector>

#include "control/placement/board.h"
#include "control/placement/filter.h"

namespace tidegate::placement {

// The best of `fitting`, which must not be empty; of equals the first.
const Place* best(const Board& board, const PodView& pod, const Filter& filter,
                  const std::vector<const Place*>& fitting);

}  // namespace tidegate::placement
