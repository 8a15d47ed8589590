// ReplicaSet -> Pods: as many active pods as the set asks for, no more and no fewer.
//
// Pure: the set, its pods and the time come in, the changes come out. The caller sees to it that the pods are
// at least as new as this controller's own last writes (loop::Controller does), else a pod would be made
// twice.
//
// Thread: any. Source: Kubernetes ReplicaSet documentation and pkg/controller/replicaset.

#pragma once

#include <vector>

#include "base/random.h"
#include "control/loop/decision.h"
#include "control/workload/pods.h"

namespace tidegate::workload {

// The kinds that decisions name, found once.
struct Kinds {
  const resource::Kind* deployment;
  const resource::Kind* replica_set;
  const resource::Kind* pod;
  // Requires: the kinds are in resource::kinds().
  static Kinds find();
};

// Most pods made or removed in one round; the rest follows in the next.
inline constexpr std::int64_t kBurst = 500;

// `pods` are those whose controlling owner is this set.
loop::Decision decide_replica_set(const Kinds& kinds, const resource::Object& set,
                                  const std::vector<PodFacts>& pods, WallTime now, Random& random);

// Says in the set's status that its pods cannot be made, once.
std::vector<loop::Action> report_failure(const Kinds& kinds, const resource::Object& set, const Error& error,
                                         WallTime now);

// A pod as `set`'s template describes it, owned by the set.
resource::Json make_pod(const resource::Object& set, Random& random);

}  // namespace tidegate::workload
