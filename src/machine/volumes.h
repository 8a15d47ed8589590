// A pod's volumes as folders of this machine.
//
// emptyDir, ConfigMap and Secret become folders under the pod's own; hostPath is the path itself; a claim is
// the folder that claims.h finds. There is no mount: our engine and the shims translate
// paths (TIDEGATE_PATH_MAP).
//
// Thread: any; writes files.

#pragma once

#include <filesystem>

#include "base/result.h"
#include "machine/claims.h"
#include "machine/environment.h"
#include "machine/launch.h"

namespace tidegate::machine {

// Makes the folders that the container mounts and says where they are.
// Errors: kNotFound naming the ConfigMap, Secret, claim or key; kInternal if the disk refuses.
Result<PathMap> prepare_volumes(const PodPlan& pod, const resource::Container& container,
                                const std::filesystem::path& pod_dir, const ClaimLookup& claims,
                                const DataLookup& lookup);

}  // namespace tidegate::machine
