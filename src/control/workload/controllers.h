// This room's controllers, ready to be run: what they watch and what they decide with.
//
// Thread: each runs on its own.

#pragma once

#include <vector>

#include "base/random.h"
#include "control/loop/controller.h"

namespace tidegate::workload {

// Deployment, ReplicaSet and Service endpoints. Where pods run is decided by control/placement.
std::vector<loop::Controller> controllers(Random random);

}  // namespace tidegate::workload
