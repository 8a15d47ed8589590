#include "control/workload/disruption.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/rfc3339.h"
#include "resource/condition.h"
#include "resource/fields.h"
#include "resource/pod_disruption_budget.h"
#include "resource/workload.h"

namespace tidegate::workload {
namespace {

using loop::Action;
using loop::Decision;
using resource::Json;
using resource::Object;
using resource::ObjectPtr;

// An eviction that was granted and whose pod is still there after this long has failed.
constexpr Duration kDeletionTimeout = std::chrono::minutes(2);

const resource::OwnerReference* controller_of(const Object& object) {
  const auto& owners = object.metadata().owner_references;
  const auto found =
      std::find_if(owners.begin(), owners.end(), [](const auto& owner) { return owner.controller; });
  return found == owners.end() ? nullptr : &*found;
}

const Object* by_uid(const std::vector<ObjectPtr>& objects, const std::string& uid) {
  const auto found = std::find_if(objects.begin(), objects.end(),
                                  [&](const ObjectPtr& object) { return object->metadata().uid == uid; });
  return found == objects.end() ? nullptr : found->get();
}

struct Expected {
  std::int64_t count = 0;
  std::string trouble;  // why it cannot be told
};

// The scale of whatever controls the pods, each controller once.
Expected expected_scale(const std::vector<const PodFacts*>& pods, const std::vector<ObjectPtr>& sets,
                        const std::vector<ObjectPtr>& deployments) {
  Expected expected;
  std::set<std::string> counted;
  for (const PodFacts* pod : pods) {
    const auto* owner = controller_of(*pod->object);
    const Object* scaled = owner == nullptr ? nullptr : by_uid(sets, owner->uid);
    if (scaled == nullptr) {
      return {0, "found no controller that can be scaled for pod \"" + pod->object->name() + "\""};
    }
    if (const auto* above = controller_of(*scaled)) {
      if (const Object* deployment = by_uid(deployments, above->uid)) scaled = deployment;
    }
    if (counted.insert(scaled->metadata().uid).second)
      expected.count += resource::number(scaled->json(), "spec.replicas", 1);
  }
  return expected;
}

struct Need {
  std::int64_t expected = 0;
  std::int64_t healthy = 0;  // how many must stay
  std::string trouble;
};

Need need_of(const resource::PodDisruptionBudget& budget, const std::vector<const PodFacts*>& pods,
             const std::vector<ObjectPtr>& sets, const std::vector<ObjectPtr>& deployments) {
  const auto present = static_cast<std::int64_t>(pods.size());
  if (budget.min_available && !budget.min_available->is_text())
    return {present, budget.min_available->number, {}};
  if (!budget.min_available && !budget.max_unavailable) return {present, present, {}};
  const Expected expected = expected_scale(pods, sets, deployments);
  if (!expected.trouble.empty()) return {present, present, expected.trouble};
  const auto total = static_cast<int>(expected.count);
  if (budget.min_available)
    return {expected.count, resource::resolve_share(*budget.min_available, total, true), {}};
  const std::int64_t may_go = resource::resolve_share(*budget.max_unavailable, total, true);
  return {expected.count, std::max<std::int64_t>(expected.count - may_go, 0), {}};
}

// Evictions granted but not yet seen: those pods count as gone already.
Json disrupted_pods(const Object& budget, const std::vector<const PodFacts*>& pods, WallTime now,
                    std::optional<Duration>& again_in) {
  Json kept = Json::object();
  const Json* present = resource::find(budget.json(), "status.disruptedPods");
  if (present == nullptr || !present->is_object()) return kept;
  for (const auto& [name, time] : present->items()) {
    const bool waits = std::any_of(pods.begin(), pods.end(), [&, &key = name](const PodFacts* pod) {
      return pod->object->name() == key && !pod->terminating;
    });
    const auto since = parse_rfc3339(time.is_string() ? time.get<std::string>() : std::string());
    if (!waits || !since || now - *since > kDeletionTimeout) continue;
    kept[name] = time;
    again_in = std::min(again_in.value_or(kDeletionTimeout), kDeletionTimeout);
  }
  return kept;
}

}  // namespace

Decision decide_disruption(const resource::Kind& budget_kind, const Object& object,
                           const std::vector<PodFacts>& pods, const std::vector<ObjectPtr>& sets,
                           const std::vector<ObjectPtr>& deployments, WallTime now) {
  Decision decision;
  const auto budget = resource::PodDisruptionBudget::from(object);
  if (!budget || !object.metadata().deletion_timestamp.empty()) return decision;
  std::vector<const PodFacts*> members;
  for (const PodFacts& pod : pods) {
    const bool ended = pod.phase == PodPhase::kSucceeded || pod.phase == PodPhase::kFailed;
    if (!ended && budget->selector && budget->selector->matches(pod.object->metadata().labels))
      members.push_back(&pod);
  }
  const Need need = need_of(*budget, members, sets, deployments);
  Json disrupted = disrupted_pods(object, members, now, decision.again_in);
  const std::int64_t healthy = std::count_if(members.begin(), members.end(), [&](const PodFacts* pod) {
    return pod->ready && !pod->terminating && !disrupted.contains(pod->object->name());
  });
  std::int64_t allowed = std::max<std::int64_t>(healthy - need.healthy, 0);
  if (need.expected <= 0 || !need.trouble.empty()) allowed = 0;

  const Json* before = resource::find(object.json(), "status");
  Json status = before == nullptr ? Json::object() : *before;
  status["disruptionsAllowed"] = allowed;
  status["currentHealthy"] = healthy;
  status["desiredHealthy"] = need.healthy;
  status["expectedPods"] = need.expected;
  status["observedGeneration"] = object.metadata().generation;
  if (disrupted.empty()) {
    status.erase("disruptedPods");
  } else {
    status["disruptedPods"] = std::move(disrupted);
  }
  resource::Condition condition{.type = "DisruptionAllowed",
                                .status = allowed > 0 ? "True" : "False",
                                .reason = allowed > 0 ? "SufficientPods" : "InsufficientPods",
                                .observed_generation = object.metadata().generation};
  if (!need.trouble.empty()) {
    condition.reason = "SyncFailed";
    condition.message = need.trouble;
  }
  resource::set_condition(status["conditions"], condition, rfc3339(now));
  if (before != nullptr && resource::same_content(*before, status)) return decision;
  Json document = object.json();
  document["status"] = std::move(status);
  decision.actions.push_back(Action::update_status(budget_kind, std::move(document)));
  if (members.empty() && resource::number(object.json(), "status.observedGeneration") == 0)
    decision.events.push_back(
        cluster::normal(object, "NoPods", "No matching pods found").from("controllermanager"));
  return decision;
}

}  // namespace tidegate::workload
