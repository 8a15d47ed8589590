// More machines: each pool's minimum, then what the waiting pods need.
//
// The waiting pods are placed in thought, with the very rules of control/placement, on the nodes that are
// here and on those that are coming. A pod that finds no room there asks every pool: would it run on one more
// machine of yours? Of the pools that say yes the first by the pod's ResourcePolicy wins, then the cheapest.

#include <algorithm>
#include <limits>
#include <set>
#include <tuple>

#include "control/nodepool/decide.h"
#include "control/placement/filter.h"
#include "control/placement/round.h"

namespace tidegate::nodepool {
namespace {

using placement::Board;
using placement::Placement;
using placement::PodPtr;

constexpr const char* kTrial = "~one more machine";

// Started not long ago, and not serving yet: its Node is missing, not ready, or still bears the taint of
// that.
bool is_coming(const Board& board, const Pool& pool, const Machine& machine, WallTime now) {
  if (machine.phase == Phase::kBooting) return true;
  if (now - machine.requested >= pool.spec.scale_up.provision_timeout) return false;
  const placement::Place* place = board.find(machine.name);
  if (place == nullptr || place->node == nullptr) return false;
  const auto& taints = place->node->taints;
  return !place->node->ready || std::any_of(taints.begin(), taints.end(), [](const resource::Taint& taint) {
    return taint.key == "node.kubernetes.io/not-ready";
  });
}

// The board as it will be once everything that was started is here.
Board expected(const State& state, WallTime now) {
  Board board = state.board;
  for (const Pool& pool : state.pools) {
    for (const Machine& machine : pool.machines) {
      if (is_coming(board, pool, machine, now)) board.put(template_node(pool, machine.name));
      // What is about to leave takes nobody.
      if (!machine.active()) board.drop_node(machine.name);
    }
  }
  return board;
}

bool asks_for_machines(const placement::PodView& pod) {
  return placement::waits(pod) && pod.told_reason == "Unschedulable" && pod.flaw.empty() &&
         pod.nominated.empty() && pod.priority >= kExpendablePriority;
}

struct Option {
  Pool* pool = nullptr;
  Placement placement;
  int rank = 0;  // of the policy's unit; outside comes last
};

bool better(const Option& a, const Option& b) {
  return std::tie(a.rank, a.pool->spec.price_per_hour, a.pool->name) <
         std::tie(b.rank, b.pool->spec.price_per_hour, b.pool->name);
}

// A resource of which the pod wants more than an empty machine has.
std::string larger_than_template(const Pool& pool, const placement::PodView& pod) {
  const placement::Amounts has(pool.spec.capacity);
  const std::string* name = has.short_of({}, pod.requests);
  if (name == nullptr) return {};
  return "pod " + pod.title() + " requests " + Quantity{pod.requests.of(*name)}.text() + " " + *name +
         " and a machine of pool " + pool.name + " has " + Quantity{has.of(*name)}.text();
}

class Expansion {
 public:
  Expansion(State& state, Plan& plan, WallTime now)
      : state_(state),
        plan_(plan),
        now_(now),
        board_(expected(state, now)),
        rules_{state.policies, state.budgets} {}

  void run() {
    std::vector<PodPtr> waiting;
    std::copy_if(state_.pods.begin(), state_.pods.end(), std::back_inserter(waiting),
                 [](const PodPtr& pod) { return asks_for_machines(*pod); });
    // A pod that has asked comes before its equals, or a later one takes its machine here and it asks again.
    const std::set<std::string> asked = who_asked();
    const auto rank = [&](const PodPtr& pod) {
      return std::tuple(-std::int64_t{pod->priority}, !asked.contains(pod->title()), pod->created);
    };
    std::stable_sort(waiting.begin(), waiting.end(),
                     [&](const PodPtr& a, const PodPtr& b) { return rank(a) < rank(b); });
    for (const PodPtr& pod : waiting) help(pod);
  }

 private:
  std::set<std::string> who_asked() const {
    std::set<std::string> titles;
    for (const Pool& pool : state_.pools) {
      for (const Machine& machine : pool.machines) {
        if (machine.active() && !machine.asked_by.empty()) titles.insert(machine.asked_by);
      }
    }
    return titles;
  }

  void help(const PodPtr& pod) {
    const Placement now = place(board_, *pod, rules_, now_);
    if (now.node) {
      board_.put_on(*now.node, placed(*pod, now));
      return;
    }
    std::optional<Option> chosen;
    std::map<std::string, int> reasons;
    std::string too_large;
    for (Pool& pool : state_.pools) {
      const std::string refused = why_no_growth(pool, now_);
      const std::string larger =
          pool.spec.capacity.empty() ? std::string() : larger_than_template(pool, *pod);
      if (!larger.empty()) {
        if (may_select(pool, *pod)) pool.never_fits = larger;
        too_large += "; " + larger;
      }
      if (!refused.empty()) {
        ++reasons[refused];
        continue;
      }
      auto option = try_pool(pool, *pod, reasons);
      if (option && (!chosen || better(*option, *chosen))) chosen = std::move(option);
    }
    if (chosen) {
      grow(*chosen, pod);
    } else if (!state_.pools.empty()) {
      refuse(pod, reasons, too_large);
    }
  }

  // Whether the pod means this pool at all, by its labels and taints.
  static bool may_select(const Pool& pool, const placement::PodView& pod) {
    Board empty;
    empty.put(template_node(pool, kTrial));
    return placement::Filter(empty, pod).check(empty.places().begin()->second) == placement::Why::kResources;
  }

  std::optional<Option> try_pool(Pool& pool, const placement::PodView& pod,
                                 std::map<std::string, int>& reasons) {
    board_.put(template_node(pool, kTrial));
    Placement placement = place(board_, pod, rules_, now_);
    if (placement.node != kTrial) {
      const placement::Filter filter(board_, pod);
      const placement::Place& trial = *board_.find(kTrial);
      const placement::Why why = filter.check(trial);
      const auto words = filter.reasons(trial, why);
      for (const std::string& reason : words) ++reasons[reason];
      if (words.empty()) ++reasons["node(s) were in a later unit of the pod's ResourcePolicy or in none"];
    }
    board_.drop_node(kTrial);
    if (placement.node != kTrial) return {};
    const int rank = placement.unit < 0 ? std::numeric_limits<int>::max() : placement.unit;
    return Option{&pool, std::move(placement), rank};
  }

  void grow(Option& option, const PodPtr& pod) {
    Pool& pool = *option.pool;
    const std::int64_t before = pool.active();
    launch(pool, state_.board, now_);
    pool.machines.back().asked_by = pod->title();
    const std::string& name = pool.machines.back().name;
    board_.put(template_node(pool, name));
    option.placement.node = name;
    board_.put_on(name, placed(*pod, option.placement));
    plan_.notes.push_back({pool.name, pod, nullptr, false, "TriggeredScaleUp",
                           "pod triggered scale-up: [{" + pool.name + " " + std::to_string(before) + "->" +
                               std::to_string(before + 1) + " (max: " + std::to_string(pool.spec.max) +
                               ")}]"});
  }

  void refuse(const PodPtr& pod, const std::map<std::string, int>& reasons, const std::string& too_large) {
    std::string text = "pod didn't trigger scale-up: ";
    bool first = true;
    for (const auto& [reason, count] : reasons) {
      text += (first ? "" : ", ") + std::to_string(count) + " " + reason;
      first = false;
    }
    plan_.notes.push_back({{}, pod, nullptr, false, "NotTriggerScaleUp", text + too_large});
  }

  State& state_;
  Plan& plan_;
  const WallTime now_;
  Board board_;
  const placement::Rules rules_;
};

void keep_minimum(State& state, Plan& plan, WallTime now) {
  for (Pool& pool : state.pools) {
    while (pool.active() < pool.spec.min && why_no_growth(pool, now).empty()) {
      launch(pool, state.board, now);
      if (pool.spec.provider == resource::PoolProvider::kStatic) continue;
      plan.notes.push_back(
          {pool.name, nullptr, nullptr, false, "ScaledUpGroup",
           "Scale-up: group " + pool.name + " brought to its min of " + std::to_string(pool.spec.min)});
    }
  }
}

}  // namespace

std::string why_no_growth(const Pool& pool, WallTime now) {
  if (pool.active() >= std::min(pool.spec.max, pool.provider_max)) return "max node group size reached";
  if (!pool.provider_error.empty()) return "the pool's provider cannot be asked";
  if (pool.spec.capacity.empty()) return "the pool's provider has told no template";
  if (pool.backed_off(now)) return "in backoff after failed scale-up";
  const double limit = pool.spec.max_cost_per_hour;
  if (limit > 0 && pool.cost_per_hour() + pool.spec.price_per_hour > limit)
    return "max cost per hour reached";
  return {};
}

void launch(Pool& pool, const Board& board, WallTime now) {
  // No Node can bear a name with ~ in it: an external provider names its machines itself, when they join.
  const char* separator = pool.spec.provider == resource::PoolProvider::kExternalGrpc ? "~" : "-";
  std::string name;
  do {
    name = pool.name + separator + std::to_string(++pool.launched);
  } while (board.find(name) != nullptr);
  pool.last_added = now;
  pool.machines.push_back({.name = std::move(name),
                           .phase = Phase::kBooting,
                           .requested = now,
                           .since = now,
                           .registered = false,
                           .unneeded_since = {},
                           .reason = {}});
}

void scale_up(State& state, Plan& plan, WallTime now) {
  for (Pool& pool : state.pools) pool.never_fits.clear();
  if (unheard(state)) return;
  keep_minimum(state, plan, now);
  Expansion(state, plan, now).run();
}

}  // namespace tidegate::nodepool
