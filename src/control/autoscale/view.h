// From API objects to what a decision looks at.
//
// Thread: pure.

#pragma once

#include <string>

#include "control/autoscale/state.h"
#include "resource/object.h"
#include "resource/selector.h"

namespace tidegate::autoscale {

// What the target's scale subresource would say, and the selector itself.
struct TargetView {
  Scale scale;
  resource::LabelSelector selector;
  resource::Labels pod_labels;  // of its template
};

// Kinds whose replicas can be set: Deployment and ReplicaSet of apps/v1. Null for others.
const resource::Kind* scalable_kind(const resource::ObjectReference& reference);

// Errors: kInvalid if the object cannot be read.
Result<TargetView> read_target(const resource::Object& object);

PodState read_pod_state(const resource::Object& pod);

// "app=d,tier in (a,b)", as the scale subresource writes it.
std::string selector_string(const resource::LabelSelector& selector);

// The target with other replicas.
resource::Json with_replicas(const resource::Object& target, std::int64_t replicas);

// The HPA's document with the status that the outcome gives it.
resource::Json with_status(const resource::Object& hpa, const resource::HorizontalPodAutoscaler& view,
                           const Outcome& outcome, WallTime now);

}  // namespace tidegate::autoscale
