// The Node object of this machine: what it is called and what it offers.
//
// Capacity is modelled: CPU and memory are the machine's own unless told otherwise, GPUs are whatever number
// the user names, so that manifests written for GPU nodes run where there is none.
//
// Thread: pure, but for node_capacity(), which asks the system.

#pragma once

#include <map>
#include <string>

#include "base/clock.h"
#include "machine/machine.h"
#include "resource/object.h"

namespace tidegate::machine {

using Capacity = std::map<std::string, std::string>;  // resource name -> quantity

Capacity node_capacity(const MachineOptions& options);

// The document to create.
resource::Json node_document(const MachineOptions& options, const Capacity& capacity);

// The status, with a fresh heartbeat. `ready` false says that the machine is closing.
resource::Json node_status(const Capacity& capacity, const resource::Json& before, bool ready, WallTime now);

}  // namespace tidegate::machine
