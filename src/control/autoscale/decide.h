// One round of one HorizontalPodAutoscaler: from what is there to what shall be, and what is said about it.
//
// The order, the words of conditions and events and what happens on errors are Kubernetes' own; change none
// without its source. What the demand rule adds (demand.h) replaces only the step from metrics to a
// recommendation.
//
// Thread: pure.
// Source: Kubernetes HPA concept page; pkg/controller/podautoscaler; reference elastic.md section 5.

#pragma once

#include "control/autoscale/demand.h"
#include "control/autoscale/state.h"

namespace tidegate::autoscale {

// `rule` is read_rule() of the object's annotations. The memory that comes back takes the change for made; a
// caller whose write of the scale fails keeps the old one.
Outcome decide(const State& state, const Rule& rule, const Memory& memory, const Settings& settings,
               WallTime now);

// As Go prints a label selector, for messages: "nil", "&LabelSelector{MatchLabels:map[string]string{a:
// b,},...}".
std::string selector_text(const std::optional<resource::LabelSelector>& selector);

}  // namespace tidegate::autoscale
