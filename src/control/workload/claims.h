// PersistentVolumeClaim -> PersistentVolume: gives each claim a volume that holds what it asks for, and says
// what a claim without one waits for.
//
// Volumes are not made here: on a cluster a provisioner does so, at home somebody writes the
// PersistentVolume, or names the folder with --claim NAME=DIR, which needs no volume.
//
// Thread: pure. Source: Kubernetes, "Persistent Volumes" (binding), pkg/controller/volume/persistentvolume.

#pragma once

#include <vector>

#include "control/loop/decision.h"

namespace tidegate::workload {

// All claims and volumes together: two claims must not take one volume. Claims are served oldest first, each
// by the smallest volume that is large enough.
loop::Decision decide_claims(const std::vector<resource::ObjectPtr>& claims,
                             const std::vector<resource::ObjectPtr>& volumes);

}  // namespace tidegate::workload
