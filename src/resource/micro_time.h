// Kubernetes' MicroTime, which Leases carry: "2026-11-25T18:01:03.000000Z".
//
// Thread: pure.
// Source: Kubernetes meta/v1 MicroTime.

#pragma once

#include <string>

#include "base/clock.h"

namespace tidegate::resource {

std::string micro_time(WallTime time);

}  // namespace tidegate::resource
