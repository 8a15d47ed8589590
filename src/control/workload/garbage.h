// Removing what has lost its owners: a ReplicaSet whose Deployment is gone, a Pod whose ReplicaSet is gone.
//
// Thread: pure. Source: Kubernetes, "Garbage Collection" (background deletion).

#pragma once

#include <functional>
#include <string_view>

#include "control/loop/decision.h"

namespace tidegate::workload {

// Whether an object of that kind and name with that uid exists. Owners of kinds this program does not know
// count as existing: what it cannot see it must not bury.
using OwnerExists = std::function<bool(const resource::OwnerReference& owner, std::string_view namespace_)>;

// Removes `object` if it has owners and none of them exists.
loop::Decision decide_garbage(const resource::Kind& kind, const resource::Object& object,
                              const OwnerExists& exists);

}  // namespace tidegate::workload
