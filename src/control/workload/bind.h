// Binding pending pods to nodes, as far as one home node needs it: a pod fits where its node selector matches
// and its requests fit into what the pods already there leave. Everything a cluster has beyond that
// (affinity, taints, policies, preemption) belongs to control/placement.
//
// A pod that fits nowhere gets the condition PodScheduled=False with kube-scheduler's own words, so that
// people and node autoscalers read it as they would anywhere.
//
// Thread: pure. Source: kubernetes/kubernetes pkg/scheduler/framework ("0/<N> nodes are available: <count>
// <reason>, ...").

#pragma once

#include <vector>

#include "control/loop/decision.h"
#include "control/workload/pods.h"

namespace tidegate::workload {

// Binds what fits, oldest pod first, and says of the rest why not. A Deployment of several GPUs can so never
// be starved by its own younger pods.
loop::Decision decide_bindings(const resource::Kind& pod_kind, const std::vector<resource::ObjectPtr>& nodes,
                               const std::vector<resource::ObjectPtr>& pods, WallTime now);

}  // namespace tidegate::workload
