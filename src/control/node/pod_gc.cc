#include "control/node/pod_gc.h"

#include <algorithm>

#include "base/rfc3339.h"

namespace tidegate::node {

loop::Decision decide_orphans(const resource::Kind& pod_kind, const std::vector<resource::ObjectPtr>& pods,
                              WallTime missing_since, WallTime now) {
  loop::Decision decision;
  for (const resource::ObjectPtr& pod : pods) {
    const auto ends = parse_rfc3339(pod->metadata().deletion_timestamp);
    const WallTime due = std::max(missing_since, ends.value_or(missing_since)) + kQuarantine;
    if (now < due) {
      decision.again_in = std::min<Duration>(decision.again_in.value_or(due - now), due - now);
      continue;
    }
    decision.actions.push_back(loop::Action::remove(pod_kind, *pod, "its node is gone").at_once());
  }
  return decision;
}

}  // namespace tidegate::node
