// What the objects say of pods whose processes ended with an earlier run of the home.
//
// Thread: any; blocks for the client's I/O.

#pragma once

#include <string_view>

#include "base/clock.h"
#include "cluster/client.h"

namespace tidegate::machine {

// Says of every pod on a node that a machine with this home node stands for that it is not ready, so that
// nobody sends requests to where it was. Call it before those who read pods start; the machine then runs the
// same pods again. Errors: those of the client.
Result<void> mark_ended(cluster::Client& client, std::string_view home, WallTime now);

}  // namespace tidegate::machine
