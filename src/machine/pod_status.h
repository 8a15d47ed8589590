// What the machine reports about a pod: the status a kubelet would write.
//
// Pure. Conditions keep the time of their last change, which is why the present status comes in.
//
// Thread: any. Source: Kubernetes core/v1 PodStatus, "Pod Lifecycle".

#pragma once

#include <string>
#include <vector>

#include "machine/lifecycle.h"
#include "resource/object.h"

namespace tidegate::machine {

// A finding about the pod that Kubernetes has no field for, as an extra condition (type "tidegate.dev/...").
struct Finding {
  std::string type;
  std::string reason;
  std::string message;
};

struct PodReport {
  const Lifecycle* life;
  std::string pod_ip;
  std::string host_ip;
  WallTime started{};             // when the machine first saw the pod
  std::vector<std::string> pids;  // "tidegate://<pid>" by container, empty if none; the containerID
  std::vector<Finding> findings;
};

resource::Json pod_status(const PodReport& report, const resource::Json& before, WallTime now);

}  // namespace tidegate::machine
