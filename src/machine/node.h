// Node objects as this machine writes them: what they are called, what they offer, how they are.
//
// Capacity of the home is modelled: CPU and memory are the machine's own unless told otherwise, GPUs are
// whatever number the user names, so that manifests written for GPU nodes run where there is none.
//
// Thread: pure, but for node_capacity(), which asks the system.

#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "machine/machine.h"
#include "resource/object.h"

namespace tidegate::machine {

using Capacity = std::map<std::string, std::string>;  // resource name -> quantity

Capacity node_capacity(const MachineOptions& options);

// The labels that every kubelet gives its node, and those of the options to the home.
std::map<std::string, std::string> node_labels(const MachineOptions& options, const std::string& node);

// The home's document to create.
resource::Json node_document(const MachineOptions& options, const Capacity& capacity);

struct NodeReport {
  std::string name;
  std::string address;
  bool ready = true;  // false: the machine is closing
  // What it offers, for the home; the others keep what their object says, as does a home that came from a
  // pool.
  std::optional<Capacity> capacity;
};

// The status with a fresh heartbeat. Whatever others wrote into `before`, the whole Node, is kept.
resource::Json node_status(const NodeReport& report, const resource::Json& before, WallTime now);

}  // namespace tidegate::machine
