#include "control/node/event_gc.h"

#include <algorithm>

#include "base/rfc3339.h"
#include "resource/fields.h"

namespace tidegate::node {

loop::Decision decide_event(const resource::Kind& event_kind, const resource::Object& event, WallTime now) {
  WallTime seen{};
  for (const char* field :
       {"metadata.creationTimestamp", "lastTimestamp", "eventTime", "series.lastObservedTime"}) {
    seen = std::max(seen, parse_rfc3339(resource::text(event.json(), field)).value_or(WallTime{}));
  }
  loop::Decision decision;
  const Duration left = seen + kEventLife - now;
  if (left > Duration::zero()) {
    decision.again_in = left;
  } else {
    decision.actions.push_back(loop::Action::remove(event_kind, event));
  }
  return decision;
}

loop::Controller event_controller() {
  const resource::Kind* kind = resource::find_kind("v1", "Event");
  loop::Controller controller;
  controller.name = "event";
  controller.sources = {{kind, loop::own_key}};
  controller.decide = [kind](const cluster::Key& key, const loop::Caches& caches, WallTime now) {
    const resource::ObjectPtr event = caches.get(*kind, key);
    return event == nullptr ? loop::Decision{} : decide_event(*kind, *event, now);
  };
  return controller;
}

}  // namespace tidegate::node
