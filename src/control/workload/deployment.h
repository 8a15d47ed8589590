// Deployment -> ReplicaSets: one set per pod template, the newest growing while the older ones shrink.
//
// Pure: the Deployment, the sets it controls and the time come in, the changes come out. Revisions, the
// pod-template-hash label, history limits, pause and the conditions Available and Progressing are as
// Kubernetes writes them, so that `rollout status` and people read them the same way.
//
// Thread: any. Source: Kubernetes Deployment documentation and pkg/controller/deployment.

#pragma once

#include <string_view>
#include <vector>

#include "control/loop/decision.h"
#include "control/workload/replica_set.h"
#include "control/workload/rollout.h"

namespace tidegate::workload {

inline constexpr std::string_view kRevision = "deployment.kubernetes.io/revision";
inline constexpr std::string_view kRevisionHistory = "deployment.kubernetes.io/revision-history";
inline constexpr std::string_view kDesiredReplicas = "deployment.kubernetes.io/desired-replicas";
inline constexpr std::string_view kMaxReplicas = "deployment.kubernetes.io/max-replicas";
inline constexpr std::string_view kTemplateHash = "pod-template-hash";

// `sets` are those whose controlling owner is this Deployment; `pods` those that these sets control (needed
// only for strategy Recreate, which waits until the old ones have ended).
loop::Decision decide_deployment(const Kinds& kinds, const resource::Object& deployment,
                                 const std::vector<resource::ObjectPtr>& sets,
                                 const std::vector<PodFacts>& pods, WallTime now);

// The status the Deployment should have, given what its sets report.
resource::Json deployment_status(const resource::Object& deployment, const RolloutLimits& limits,
                                 const std::vector<resource::ObjectPtr>& sets, const resource::Object* newest,
                                 WallTime now);

// The set made from the Deployment's present template; null if there is none yet.
const resource::Object* newest_set(const resource::Object& deployment,
                                   const std::vector<resource::ObjectPtr>& sets);

}  // namespace tidegate::workload
