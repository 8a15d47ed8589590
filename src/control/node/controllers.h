// This room's controllers, ready to be run.
//
// Thread: each runs on its own.

#pragma once

#include <vector>

#include "control/loop/controller.h"
#include "control/node/health.h"

namespace tidegate::node {

// Node health with eviction, and the removal of pods whose node is gone.
std::vector<loop::Controller> controllers(const Rules& rules = {});

}  // namespace tidegate::node
