// How a Deployment shares its replicas out over its ReplicaSets: the arithmetic of rolling updates, on plain
// numbers.
//
// A ReplicaSet here is what the rollout needs of it: how many pods it asks for and how many are available.
// The functions return the number each set should ask for; they never look at objects.
//
// Thread: pure. Source: Kubernetes Deployment documentation (rolling update, proportional scaling) and
// pkg/controller/deployment.

#pragma once

#include <cstdint>
#include <vector>

#include "resource/workload.h"

namespace tidegate::workload {

struct SetSize {
  std::int64_t replicas = 0;   // spec.replicas
  std::int64_t available = 0;  // status.availableReplicas
};

struct RolloutLimits {
  std::int64_t replicas = 1;
  std::int64_t max_surge = 1;
  std::int64_t max_unavailable = 0;
};

// Percentages round up for surge and down for unavailable. Both zero would never move, so unavailable becomes
// 1 then. With strategy Recreate there is no surge and nothing may be unavailable.
RolloutLimits make_limits(const resource::Deployment& deployment);

// What the newest set should ask for now: all that fits below replicas + surge.
std::int64_t grow_newest(const RolloutLimits& limits, std::int64_t newest, std::int64_t total);

// What the older sets, oldest first, should ask for now: first their unavailable pods go, then available ones
// as far as replicas - max_unavailable stay available.
std::vector<std::int64_t> shrink_older(const RolloutLimits& limits, SetSize newest,
                                       const std::vector<SetSize>& older);

// A Deployment whose replicas changed in the middle of a rollout: the difference is shared out in proportion
// to the sets' sizes, the rest of the division going to the largest first. `before` is replicas + surge as it
// was when the sets were last sized; sets are newest first.
std::vector<std::int64_t> scale_in_proportion(const RolloutLimits& limits, std::int64_t before,
                                              const std::vector<std::int64_t>& sets);

}  // namespace tidegate::workload
