// Node pools as a controller: it reads the cluster, decides, and writes Nodes, evictions, Events and the
// pools' status.
//
// Thread: runs on its own; see exec.h for the user's programs.

#pragma once

#include <vector>

#include "control/loop/controller.h"

namespace tidegate::nodepool {

std::vector<loop::Controller> controllers();

}  // namespace tidegate::nodepool
