// A pod's volumes as folders of this machine.
//
// emptyDir, ConfigMap and Secret become folders under the pod's own; hostPath is the path itself; a claim is
// a folder that the user names (--claim NAME=DIR). There is no mount: our engine and the shims translate
// paths (TIDEGATE_PATH_MAP).
//
// Thread: any; writes files.

#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/result.h"
#include "machine/environment.h"
#include "machine/launch.h"

namespace tidegate::machine {

using Claims = std::map<std::string, std::string>;  // claim name -> folder

// Makes the folders that the container mounts and says where they are.
// Errors: kNotFound naming the ConfigMap, Secret, claim or key; kInternal if the disk refuses.
Result<PathMap> prepare_volumes(const PodPlan& pod, const resource::Container& container,
                                const std::filesystem::path& pod_dir, const Claims& claims,
                                const DataLookup& lookup);

}  // namespace tidegate::machine
