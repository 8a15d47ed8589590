// A pool's memory and what people read of it: the NodePool's status, both ways.
//
//   status:
//     nodes: 2  ready: 1  booting: 1  draining: 0  costPerHour: "25"
//     machines: [{name: gpu-1, phase: Ready, since: ..., requested: ..., registered: true}]
//     conditions: CanGrow, FitsPods; ProviderReady of a pool whose provider is externalgrpc
//
// Thread: pure.

#pragma once

#include "base/result.h"
#include "control/nodepool/pool.h"

namespace tidegate::nodepool {

// Errors: kInvalid with the field; such an object has passed no admission.
Result<Pool> read_pool(const resource::ObjectPtr& object);

// The object's document with the status that `pool` stands for.
resource::Json write_pool(const Pool& pool, WallTime now);

// The Node that stands for a machine, as its kubelet would register it.
resource::Json node_document(const Pool& pool, const std::string& machine, WallTime now);

}  // namespace tidegate::nodepool
