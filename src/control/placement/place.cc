#include "control/placement/place.h"

#include <algorithm>
#include <set>

#include "control/placement/filter.h"
#include "control/placement/preempt.h"
#include "control/placement/score.h"

namespace tidegate::placement {
namespace {

using resource::NextUnit;
using resource::PolicyUnit;

bool same_group(const PolicyView& policy, const PodView& a, const PodView& b) {
  return std::all_of(policy.spec.match_label_keys.begin(), policy.spec.match_label_keys.end(),
                     [&](const std::string& key) {
                       const auto mine = a.labels.find(key);
                       const auto theirs = b.labels.find(key);
                       return mine != a.labels.end() && theirs != b.labels.end() &&
                              mine->second == theirs->second;
                     });
}

bool over_resources(const PolicyUnit& unit, const UnitUse& use, const PodView& pod) {
  return std::any_of(unit.max_resources.begin(), unit.max_resources.end(), [&](const auto& cap) {
    const std::int64_t wanted = pod.requests.of(cap.first);
    return wanted > 0 && use.requests.of(cap.first) + wanted > cap.second.milli;
  });
}

// eci and acs stand behind virtual nodes whose taints the policy tolerates in the pod's stead.
PodView with_virtual_toleration(const PodView& pod) {
  PodView copy = pod;
  copy.tolerations.push_back(
      {.key = "virtual-kubelet.io/provider", .op = "Exists", .value = "", .effect = "", .seconds = {}});
  return copy;
}

// One walk through the units of a policy.
class Walk {
 public:
  Walk(const Board& board, const PodView& pod, const PolicyView* policy, const Rules& rules, WallTime now)
      : board_(board), pod_(pod), policy_(policy), rules_(rules), now_(now), filter_(board, pod) {}

  Placement run() {
    if (policy_ == nullptr) return outside();
    sort_into_units();
    const int units = static_cast<int>(policy_->spec.units.size());
    for (int unit = 0; unit < units; ++unit) {
      if (enter(unit) || holds(unit)) return finish();
    }
    result_.unit = -1;
    if (policy_->spec.required) {
      refuse(-1, "node(s) were in no unit of ResourcePolicy " + policy_->name);
      return finish();
    }
    return outside();
  }

 private:
  void sort_into_units() {
    result_.policy = policy_;
    for (const auto& [name, place] : board_.places()) {
      by_unit_[policy_->unit_of(*place.node)].push_back(&place);
    }
  }

  // The nodes that belong to no unit, which are all where there is no policy.
  Placement outside() {
    if (policy_ == nullptr) {
      for (const auto& [name, place] : board_.places()) by_unit_[-1].push_back(&place);
    }
    take_best(-1, filter_);
    return finish();
  }

  // Whether the pod is done here: it has a node, or room is being made for it.
  bool enter(int unit) {
    result_.unit = unit;
    const PolicyUnit& spec = policy_->spec.units[static_cast<std::size_t>(unit)];
    const bool needs_use =
        spec.has_cap() || policy_->spec.next_unit == NextUnit::kLackResourceAndNoTerminating;
    use_ = needs_use ? use_of(board_, *policy_, unit, &pod_) : UnitUse{};
    full_ = (spec.max && use_.pods >= *spec.max) || over_resources(spec, use_, pod_);
    if (full_) {
      refuse(unit, "node(s) were in unit " + std::to_string(unit) + " of ResourcePolicy " + policy_->name +
                       ", which is at its max");
      return false;
    }
    const bool is_virtual =
        spec.resource == resource::UnitResource::kEci || spec.resource == resource::UnitResource::kAcs;
    if (is_virtual) {
      const PodView tolerant = with_virtual_toleration(pod_);
      if (take_best(unit, Filter(board_, tolerant))) return true;
    } else if (take_best(unit, filter_)) {
      return true;
    }
    return policy_->spec.preempt_before_next_unit && make_room();
  }

  // Whether the pod must stay at this unit, where nothing has fit.
  bool holds(int unit) {
    const PolicyUnit& spec = policy_->spec.units[static_cast<std::size_t>(unit)];
    const bool lacks = !full_;
    result_.waits_for_scaling = lacks && spec.waits_for_scaling;
    switch (policy_->spec.next_unit) {
      case NextUnit::kLackResourceOrExceedMax:
        return lacks && spec.waits_for_scaling;
      case NextUnit::kExceedMax:
        return lacks && (spec.has_cap() || spec.waits_for_scaling);
      case NextUnit::kLackResourceAndNoTerminating:
        return use_.terminating || (lacks && spec.waits_for_scaling);
      case NextUnit::kTimeoutOrExceedMax:
        return lacks && (spec.has_cap() || spec.waits_for_scaling) && waits_longer();
      case NextUnit::kTimeout:
        return lacks && waits_longer();
    }
    return false;
  }

  bool waits_longer() {
    ++timeouts_;
    const WallTime until = pod_.created + timeouts_ * policy_->spec.timeout;
    if (now_ >= until) {
      result_.waits_for_scaling = false;
      return false;
    }
    result_.again_in = until - now_;
    return true;
  }

  bool take_best(int unit, const Filter& filter) {
    walked_.insert(unit);
    std::vector<const Place*> fitting;
    for (const Place* place : by_unit_[unit]) {
      const Why why = filter.check(*place);
      if (why == Why::kFits) {
        fitting.push_back(place);
      } else {
        tried_.emplace_back(place, why);
      }
    }
    if (fitting.empty()) return false;
    result_.node = best(board_, pod_, filter, fitting)->node->name;
    result_.unit = unit;
    return true;
  }

  bool make_room() {
    Preemption made = preempt(board_, pod_, rules_.budgets, tried_);
    result_.nominated = made.node;
    result_.victims = std::move(made.victims);
    preemption_ = std::move(made.message);
    return !result_.nominated.empty();
  }

  void refuse(int unit, const std::string& reason) {
    walked_.insert(unit);
    if (const std::size_t count = by_unit_[unit].size(); count > 0) refused_[reason] += static_cast<int>(count);
  }

  void count_reasons(const Place& place, Why why, std::map<std::string, int>& reasons) const {
    for (const std::string& reason : filter_.reasons(place, why)) ++reasons[reason];
  }

  Placement finish() {
    if (result_.node) return std::move(result_);
    if (board_.size() == 0) {
      result_.message = "no nodes available to schedule pods";
      return std::move(result_);
    }
    if (result_.nominated.empty()) make_room();
    std::map<std::string, int> reasons = refused_;
    for (const auto& [place, why] : tried_) count_reasons(*place, why, reasons);
    for (const auto& [unit, places] : by_unit_) {
      if (walked_.contains(unit)) continue;
      for (const Place* place : places) {
        const Why why = filter_.check(*place);
        if (why != Why::kFits) {
          count_reasons(*place, why, reasons);
        } else {
          ++reasons[(unit < 0 ? "node(s) were outside the units of ResourcePolicy "
                              : "node(s) were in a later unit of ResourcePolicy ") +
                    policy_->name];
        }
      }
    }
    result_.message = unavailable(board_.size(), reasons);
    if (!preemption_.empty()) result_.message += " " + preemption_;
    return std::move(result_);
  }

  const Board& board_;
  const PodView& pod_;
  const PolicyView* const policy_;
  const Rules& rules_;
  const WallTime now_;
  const Filter filter_;

  Placement result_;
  std::map<int, std::vector<const Place*>> by_unit_;
  std::vector<std::pair<const Place*, Why>> tried_;
  std::set<int> walked_;
  std::map<std::string, int> refused_;  // by the policy alone
  std::string preemption_;
  UnitUse use_;
  bool full_ = false;
  int timeouts_ = 0;
};

Placement rejected(const Board& board, const std::string& why) {
  Placement result;
  result.message = "0/" + std::to_string(board.size()) + " nodes are available: " + why + ".";
  return result;
}

}  // namespace

std::vector<const PolicyView*> governing(std::span<const PolicyView> policies, const PodView& pod) {
  std::vector<const PolicyView*> result;
  for (const PolicyView& policy : policies) {
    if (policy.governs(pod)) result.push_back(&policy);
  }
  return result;
}

UnitUse use_of(const Board& board, const PolicyView& policy, int unit, const PodView* grouped_with) {
  UnitUse use;
  const PolicyUnit& spec = policy.spec.units[static_cast<std::size_t>(unit)];
  for (const auto& [name, place] : board.places()) {
    if (place.pods.empty() || policy.unit_of(*place.node) != unit) continue;
    for (const PodPtr& pod : place.pods) {
      if (!policy.governs(*pod)) continue;
      if (pod->terminating) {
        use.terminating = true;
        if (policy.spec.ignore_terminating_pod) continue;
      }
      if (policy.spec.ignore_previous_pod && pod->created < policy.created) continue;
      if (!spec.pod_labels.empty() && !resource::selects(spec.pod_labels, pod->labels)) continue;
      if (grouped_with != nullptr && !same_group(policy, *pod, *grouped_with)) continue;
      ++use.pods;
      use.requests.add(pod->requests);
    }
  }
  return use;
}

Placement place(const Board& board, const PodView& pod, const Rules& rules, WallTime now) {
  const auto policies = governing(rules.policies, pod);
  if (policies.size() > 1) {
    std::string names;
    for (const PolicyView* policy : policies) names += (names.empty() ? "" : ", ") + policy->name;
    return rejected(board, "pod is matched by more than one ResourcePolicy (" + names +
                               "), change their selectors so that one is left");
  }
  const PolicyView* policy = policies.empty() ? nullptr : policies.front();
  if (policy != nullptr) {
    for (const std::string& key : policy->spec.match_label_keys) {
      if (pod.labels.contains(key)) continue;
      Placement result = rejected(board, "pod lacks the label " + key + " of matchLabelKeys in ResourcePolicy " +
                                             policy->name);
      result.policy = policy;
      return result;
    }
  }
  return Walk(board, pod, policy, rules, now).run();
}

}  // namespace tidegate::placement
