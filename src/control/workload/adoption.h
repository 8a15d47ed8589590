// Whose a ReplicaSet or a pod is: what an owner's selector takes in and nobody controls is adopted; what it
// controls and its selector no longer takes in is let go.
//
// Thread: pure. Source: Kubernetes, "Adopting/releasing" of ReplicaSets;
// pkg/controller/controller_ref_manager.go.

#pragma once

#include <vector>

#include "control/loop/decision.h"
#include "resource/selector.h"

namespace tidegate::workload {

// Whether somebody manages it already.
bool is_controlled(const resource::Object& object);

// `dependents`: all of `kind` in the owner's namespace. Nothing to do is no action. Requires: the owner is
// not being deleted.
std::vector<loop::Action> decide_adoption(const resource::Object& owner,
                                          const resource::LabelSelector& selector, const resource::Kind& kind,
                                          const std::vector<resource::ObjectPtr>& dependents);

}  // namespace tidegate::workload
