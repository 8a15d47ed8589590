// InferenceObjectives and InferenceModelRewrites, joined to the pools they name. Part of a snapshot.
//
// A rewrite's rule for an exact name takes the place of an InferenceModel of that name and keeps its
// criticality; a rule for every name serves those that nothing else names. Exact goes before every, the older
// object before the younger, then by namespace/name and the order of the list.
//
// Thread: pure.

#pragma once

#include <vector>

#include "gateway/pools.h"
#include "gateway/snapshot.h"

namespace tidegate::gateway {

// One finding per object.
std::vector<Finding> read_objectives(const Inputs& inputs, PoolSet& pools);
std::vector<Finding> read_model_rewrites(const Inputs& inputs, PoolSet& pools);

}  // namespace tidegate::gateway
