// What pods use, as the metrics server behind an API server tells it (metrics.k8s.io), read again and again
// in the background: whoever asks must not wait for the network.
//
// Thread: latest() from any.

#pragma once

#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cli/server.h"
#include "cluster/kubelet.h"

namespace tidegate::cli {

// A PodMetricsList. What cannot be read of an item is left out.
std::vector<cluster::PodUsage> read_pod_metrics(const resource::Json& list);

class RemoteUsage {
 public:
  explicit RemoteUsage(Server& server);  // which outlives this

  // Empty while nothing has been told, as where no metrics server runs.
  std::vector<cluster::PodUsage> latest() const;

 private:
  mutable std::mutex mutex_;
  std::vector<cluster::PodUsage> latest_;
  std::jthread thread_;
};

}  // namespace tidegate::cli
