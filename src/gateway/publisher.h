// From a snapshot and the fleet to what the workers use: pure assembling.
//
// Thread: any; the results are immutable.

#pragma once

#include <string>
#include <vector>

#include "gateway/fleet/fleet.h"
#include "gateway/view.h"

namespace tidegate::gateway {

// The endpoints that the fleet should watch for this snapshot.
std::vector<fleet::Wanted> wanted_by(const Snapshot& snapshot);

// Live endpoints, served names and the model list for each pool; `picking` holds where a pool says nothing.
View view_of(std::shared_ptr<const Snapshot> snapshot, const fleet::Fleet& fleet,
             const pick::Settings& picking);

}  // namespace tidegate::gateway
