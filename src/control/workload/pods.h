// What the workload controllers need to know of a pod, read once from its JSON, and the order in which pods
// give way.
//
// Thread: pure values.
// Source: Kubernetes pkg/controller/controller_utils.go (ActivePodsWithRanks) and the documented order of
// ReplicaSet scale-in.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "cluster/client.h"

namespace tidegate::workload {

enum class PodPhase { kPending, kUnknown, kRunning, kSucceeded, kFailed };

struct PodFacts {
  resource::ObjectPtr object;
  PodPhase phase = PodPhase::kPending;
  bool terminating = false;
  std::string node;  // empty while unbound
  bool ready = false;
  WallTime ready_since{};  // only with ready
  WallTime created{};
  std::int64_t deletion_cost = 0;
  std::int64_t restarts = 0;  // the most of any container

  // Counts towards its owner's replicas.
  bool active() const { return !terminating && phase != PodPhase::kSucceeded && phase != PodPhase::kFailed; }
};

PodFacts read_pod(const resource::ObjectPtr& pod);

// Ready for at least `min_ready`. Zero means ready is enough.
bool available(const PodFacts& pod, Duration min_ready, WallTime now);

// How long until it becomes available; empty if it is, or if time alone will not make it.
std::optional<Duration> available_in(const PodFacts& pod, Duration min_ready, WallTime now);

// Sorts so that the pods to remove first come first: unbound before bound, Pending before Running, unready
// before ready, lower deletion cost, then the node that holds more of these pods, shorter ready (in
// doublings, so that pods of nearly equal age draw by uid), more restarts, newer.
void sort_victims_first(std::vector<PodFacts>& pods, WallTime now);

}  // namespace tidegate::workload
