// Events go an hour after they were last seen.
//
// Thread: pure. Source: kube-apiserver's --event-ttl, whose default this is.

#pragma once

#include "control/loop/controller.h"

namespace tidegate::node {

inline constexpr Duration kEventLife = std::chrono::hours(1);

loop::Decision decide_event(const resource::Kind& event_kind, const resource::Object& event, WallTime now);

loop::Controller event_controller();

}  // namespace tidegate::node
