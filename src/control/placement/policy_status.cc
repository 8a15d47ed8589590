#include "control/placement/policy_status.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "control/placement/actions.h"
#include "resource/condition.h"
#include "resource/fields.h"
#include "resource/names.h"

namespace tidegate::placement {
namespace {

using resource::Condition;
using resource::Json;

std::string counted(std::size_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::vector<PodPtr> governed(const PolicyView& policy, std::span<const PodPtr> pods) {
  std::vector<PodPtr> result;
  for (const PodPtr& pod : pods) {
    if (!pod->ended && policy.governs(*pod)) result.push_back(pod);
  }
  return result;
}

Condition matched(const PolicyView& policy, std::span<const PodPtr> pods, std::size_t count) {
  if (count > 0) return {"Matched", "True", "PodsMatched", "matches " + counted(count, "pod")};
  // A policy that comes before its pods is no mistake.
  const bool early = std::none_of(pods.begin(), pods.end(), [&](const PodPtr& pod) {
    return pod->namespace_ == policy.namespace_ && !pod->labels.empty();
  });
  return {"Matched", "False", early ? "NoPodsYet" : "NoPodsMatched", why_no_pods(policy, pods)};
}

Condition conflicted(const PolicyView& policy, std::span<const PolicyView> policies,
                     const std::vector<PodPtr>& mine) {
  std::set<std::string> others;
  std::string example;
  for (const PodPtr& pod : mine) {
    for (const PolicyView* other : governing(policies, *pod)) {
      if (other->name == policy.name) continue;
      others.insert(other->name);
      example = pod->name;
    }
  }
  if (others.empty()) return {"Conflicted", "False", "OnlyPolicy", "no other policy matches these pods"};
  std::string names;
  for (const std::string& name : others) names += (names.empty() ? "" : ", ") + name;
  return {"Conflicted", "True", "MultiplePolicies",
          "pods such as " + example + " are also matched by ResourcePolicy " + names +
              " and are not placed; change the selectors so that one policy is left"};
}

Condition waiting(const PolicyView& policy, std::span<const Outcome> outcomes) {
  std::size_t count = 0;
  int unit = -1;
  bool scaling = false;
  for (const Outcome& outcome : outcomes) {
    const Placement& placement = outcome.placement;
    if (placement.policy != &policy || placement.node || placement.unit < 0) continue;
    if (!placement.waits_for_scaling && !placement.again_in) continue;
    ++count;
    unit = placement.unit;
    scaling = placement.waits_for_scaling;
  }
  if (count == 0) return {"Waiting", "False", "NobodyWaits", "no pod waits at a unit"};
  const std::string where =
      counted(count, "pod") + (count == 1 ? " waits" : " wait") + " at unit " + std::to_string(unit);
  return scaling
             ? Condition{"Waiting", "True", "WaitingForNodes", where + " for nodes to be added"}
             : Condition{"Waiting", "True", "WaitingForTimeout", where + " until whenTryNextUnits.timeout"};
}

Condition exhausted(const PolicyView& policy, std::span<const Outcome> outcomes) {
  for (const Outcome& outcome : outcomes) {
    const Placement& placement = outcome.placement;
    if (placement.policy != &policy || placement.node || placement.unit >= 0) continue;
    return {"Exhausted", "True", "NoUnitFits", "pod " + outcome.pod->name + ": " + placement.message};
  }
  return {"Exhausted", "False", "UnitsFit", "no pod has run out of units"};
}

Condition scale_in_ordered(const std::vector<PodPtr>& mine) {
  const auto user =
      std::find_if(mine.begin(), mine.end(), [](const PodPtr& pod) { return cost_is_users(*pod); });
  if (user == mine.end())
    return {"ScaleInOrdered", "True", "CostsWritten", "pods of later units are removed first"};
  return {"ScaleInOrdered", "False", "UserDeletionCost",
          "pod " + (*user)->name + " has a " + std::string(kDeletionCost) +
              " of its own, which stays; remove it to let the policy order scale-in"};
}

Json unit_counts(const PolicyView& policy, const Board& board) {
  Json units = Json::array();
  for (std::size_t i = 0; i < policy.spec.units.size(); ++i) {
    std::int64_t pods = 0;
    for (const auto& [name, place] : board.places()) {
      if (place.pods.empty() || policy.unit_of(*place.node) != static_cast<int>(i)) continue;
      pods += std::count_if(place.pods.begin(), place.pods.end(),
                            [&](const PodPtr& pod) { return policy.governs(*pod); });
    }
    units.push_back(Json{{"pods", pods}});
  }
  return units;
}

}  // namespace

std::string why_no_pods(const PolicyView& policy, std::span<const PodPtr> pods) {
  std::set<std::string_view> keys;
  std::map<std::string_view, std::set<std::string_view>> values;
  for (const PodPtr& pod : pods) {
    if (pod->namespace_ != policy.namespace_) continue;
    for (const auto& [key, value] : pod->labels) {
      keys.insert(key);
      values[key].insert(value);
    }
  }
  const std::string start = "matches 0 pods: ";
  if (keys.empty()) return start + "namespace " + policy.namespace_ + " has no labelled pods yet";
  const auto list = [](const std::set<std::string_view>& from) {
    return std::vector<std::string_view>(from.begin(), from.end());
  };
  for (const auto& [key, value] : policy.spec.selector.match_labels) {
    const auto there = values.find(key);
    if (there != values.end() && there->second.contains(value)) continue;
    const std::string none =
        start + "no pod in namespace " + policy.namespace_ + " has " + key + ": " + value;
    if (there == values.end()) {
      const std::string_view near = resource::nearest(key, list(keys));
      return none + (near.empty() ? "" : "; nearest is the label " + std::string(near));
    }
    const std::string_view near = resource::nearest(value, list(there->second));
    return none + "; nearest is " + key + ": " + std::string(near.empty() ? *there->second.begin() : near);
  }
  return start + "no pod in namespace " + policy.namespace_ + " has all labels of the selector";
}

void say_about_policy(const resource::Kind& policy_kind, const PolicyView& policy, const Board& board,
                      std::span<const PolicyView> policies, std::span<const PodPtr> pods,
                      std::span<const Outcome> outcomes, WallTime now, loop::Decision& decision) {
  const std::vector<PodPtr> mine = governed(policy, pods);
  const Json& before = policy.object->json();
  Json document = before;
  Json& status = document["status"];
  const std::vector<Condition> conditions = {matched(policy, pods, mine.size()),
                                             conflicted(policy, policies, mine), waiting(policy, outcomes),
                                             exhausted(policy, outcomes), scale_in_ordered(mine)};
  for (Condition condition : conditions) {
    condition.observed_generation = policy.object->metadata().generation;
    const Json* old = resource::condition(before, condition.type);
    const std::string told = old == nullptr ? std::string() : resource::text(*old, "message");
    resource::set_condition(status["conditions"], condition, rfc3339(now));
    const bool is_bad =
        condition.reason == "NoPodsMatched" || (condition.type == "Conflicted" && condition.status == "True");
    if (is_bad && told != condition.message) {
      decision.events.push_back(
          cluster::warning(*policy.object, condition.reason, condition.message).from("resource-policy"));
    }
  }
  status["units"] = unit_counts(policy, board);
  if (resource::same_content(document, before)) return;
  decision.actions.push_back(loop::Action::update_status(policy_kind, std::move(document)));
}

}  // namespace tidegate::placement
