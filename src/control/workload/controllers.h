// This room's controllers, ready to be run: what they watch and what they decide with.
//
// Thread: each runs on its own.

#pragma once

#include <vector>

#include "base/random.h"
#include "control/loop/controller.h"

namespace tidegate::workload {

// Deployment, ReplicaSet, Service endpoints and, with `bind`, the binding of pending pods to nodes (off where
// a cluster's own scheduler or control/placement does it).
std::vector<loop::Controller> controllers(Random random, bool bind);

}  // namespace tidegate::workload
