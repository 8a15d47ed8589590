// All waiting pods, one after another: the most important first, then the oldest.
//
// Thread: pure.

#pragma once

#include <span>
#include <vector>

#include "control/placement/board.h"
#include "control/placement/place.h"

namespace tidegate::placement {

struct Outcome {
  PodPtr pod;
  Placement placement;
};

// Whether placement decides about this pod now: unbound, alive, and free of gates.
bool waits(const PodView& pod);

// Decides about each of `pods` that waits. `board` holds all others and gets those that are placed, so that
// the next pod finds its room taken.
std::vector<Outcome> place_all(Board& board, std::span<const PodPtr> pods, const Rules& rules, WallTime now);

// A copy of `pod` as it will stand on the node: bound, with the labels of its unit.
PodPtr placed(const PodView& pod, const Placement& placement);

}  // namespace tidegate::placement
