#include "control/node/eviction.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/rfc3339.h"
#include "resource/fields.h"
#include "resource/toleration.h"

namespace tidegate::node {
namespace {

using resource::Json;
using resource::text;

bool tolerates(const Json& toleration, const Json& taint) {
  return resource::tolerates({.key = text(toleration, "key"),
                              .op = text(toleration, "operator", "Equal"),
                              .value = text(toleration, "value"),
                              .effect = text(toleration, "effect"),
                              .seconds = {}},
                             {text(taint, "key"), text(taint, "value"), text(taint, "effect")});
}

// How long one taint is tolerated; empty: for ever; zero: not at all.
std::optional<Duration> tolerated_for(const Json& pod, const Json& taint) {
  const Json* tolerations = resource::find_array(pod, "spec.tolerations");
  if (tolerations == nullptr) return Duration::zero();
  bool any = false;
  std::optional<Duration> least;
  for (const Json& toleration : *tolerations) {
    if (!tolerates(toleration, taint)) continue;
    any = true;
    if (resource::find(toleration, "tolerationSeconds") == nullptr) continue;
    const Duration limit =
        std::chrono::seconds(std::max<std::int64_t>(resource::number(toleration, "tolerationSeconds"), 0));
    least = std::min(least.value_or(limit), limit);
  }
  return any ? least : std::optional<Duration>(Duration::zero());
}

}  // namespace

std::optional<Duration> time_left(const resource::Object& node, const resource::Object& pod, WallTime now) {
  std::optional<Duration> least;
  const Json* taints = resource::find_array(node.json(), "spec.taints");
  if (taints == nullptr) return least;
  for (const Json& taint : *taints) {
    if (text(taint, "effect") != "NoExecute") continue;
    const auto limit = tolerated_for(pod.json(), taint);
    if (!limit) continue;
    const WallTime since = parse_rfc3339(text(taint, "timeAdded")).value_or(now);
    const Duration left = std::max<Duration>(since + *limit - now, Duration::zero());
    least = std::min(least.value_or(left), left);
  }
  return least;
}

void evict(const resource::Kind& pod_kind, const resource::Object& node,
           const std::vector<resource::ObjectPtr>& pods, WallTime now, loop::Decision& decision) {
  for (const resource::ObjectPtr& pod : pods) {
    if (!pod->metadata().deletion_timestamp.empty()) continue;
    const auto left = time_left(node, *pod, now);
    if (!left) continue;
    if (*left > Duration::zero()) {
      decision.again_in = std::min(decision.again_in.value_or(*left), *left);
      continue;
    }
    const std::string message = "Marking for deletion Pod " + cluster::key_of(*pod).text();
    decision.actions.push_back(
        loop::Action::remove(pod_kind, *pod, "does not tolerate a taint of its node")
            .saying(
                cluster::normal(*pod, "TaintManagerEviction", message).from("taint-eviction-controller")));
  }
}

}  // namespace tidegate::node
