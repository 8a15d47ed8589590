// From API objects to what a decision looks at.
//
// Thread: pure.

#pragma once

#include <string>

#include "control/autoscale/state.h"
#include "resource/object.h"
#include "resource/scale.h"
#include "resource/selector_text.h"

namespace tidegate::autoscale {

// What the target's scale subresource would say, and the selector itself.
struct TargetView {
  Scale scale;
  resource::LabelQuery selector;
  resource::Labels pod_labels;  // of its template; for targets that have none, what the selector says of them
};

// Kinds whose objects are at hand: Deployment and ReplicaSet of apps/v1. Null for others, whose scale must be asked for.
const resource::Kind* scalable_kind(const resource::ObjectReference& reference);

// Errors: kInvalid if the object cannot be read.
Result<TargetView> read_target(const resource::Object& object);
// Of what a scale subresource has said.
TargetView read_target(const resource::Scale& scale);

PodState read_pod_state(const resource::Object& pod);

// The target with other replicas.
resource::Json with_replicas(const resource::Object& target, std::int64_t replicas);

// The HPA's document with the status that the outcome gives it.
resource::Json with_status(const resource::Object& hpa, const resource::HorizontalPodAutoscaler& view,
                           const Outcome& outcome, WallTime now);

}  // namespace tidegate::autoscale
