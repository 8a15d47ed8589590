// Fewer machines: those that are little used and whose pods have room elsewhere, once that has been so for the
// pool's unneededTime.
//
// A machine to be given back is cordoned first; only then its pods leave, each with its grace and as budgets
// allow; the machine goes when the last has ended. So a stream that runs on it may finish.

#include <algorithm>
#include <tuple>

#include "control/nodepool/decide.h"
#include "control/placement/round.h"

namespace tidegate::nodepool {
namespace {

using placement::Board;
using placement::Place;
using placement::Placement;
using placement::PodPtr;
using placement::PodView;

constexpr Duration kEvictAgain = std::chrono::seconds(5);

std::string annotation(const PodView& pod, std::string_view key) {
  const auto found = pod.annotations.find(std::string(key));
  return found == pod.annotations.end() ? std::string() : found->second;
}

bool node_disabled(const placement::NodeView& node) {
  if (node.object == nullptr) return false;
  const auto& annotations = node.object->metadata().annotations;
  const auto found = annotations.find(std::string(kScaleDownDisabled));
  return found != annotations.end() && found->second == "true";
}

// Why the pod may not be moved; empty if it may.
std::string why_immovable(const PodView& pod) {
  const std::string safe = annotation(pod, kSafeToEvict);
  if (safe == "true") return {};
  if (safe == "false") return "pod " + pod.title() + " is annotated " + std::string(kSafeToEvict) + ": false";
  if (annotation(pod, "karpenter.sh/do-not-disrupt") == "true")
    return "pod " + pod.title() + " is annotated karpenter.sh/do-not-disrupt: true";
  if (!pod.replicated) return "pod " + pod.title() + " has no controller that would make it anew";
  if (pod.local_storage) return "pod " + pod.title() + " keeps data in a local volume";
  return {};
}

// GPUs alone where there are some, else the larger of CPU and memory, as cluster-autoscaler reckons.
double utilization(const Place& place) {
  double pieces = -1;
  double plain = 0;
  for (const auto& [name, has] : place.node->allocatable) {
    if (has <= 0 || name == placement::kPods) continue;
    const double share = static_cast<double>(place.used.of(name)) / static_cast<double>(has);
    if (placement::is_extended(name)) {
      pieces = std::max(pieces, share);
    } else if (name == placement::kCpu || name == placement::kMemory) {
      plain = std::max(plain, share);
    }
  }
  return pieces >= 0 ? pieces : plain;
}

struct Candidate {
  Pool* pool;
  Machine* machine;
  const Place* place;
};

class Ebb {
 public:
  Ebb(State& state, Plan& plan, WallTime now) : state_(state), plan_(plan), now_(now), board_(state.board) {
    for (const placement::Budget& budget : state.budgets) budgets_left_.push_back(budget.allowed);
  }

  void run() {
    drain();
    for (Pool& pool : state_.pools) {
      for (Machine& machine : pool.machines) {
        if (!machine.active()) board_.drop_node(machine.name);
        if (pool.last_added) last_added_ = std::max(last_added_, *pool.last_added);
      }
    }
    for (const Candidate& candidate : by_price()) look_at(candidate);
  }

 private:
  // The machines that could be asked, the dearest first and of those the emptiest.
  std::vector<Candidate> by_price() {
    std::vector<Candidate> all;
    for (Pool& pool : state_.pools) {
      for (Machine& machine : pool.machines) {
        if (machine.phase != Phase::kReady && machine.phase != Phase::kNotReady) continue;
        if (const Place* place = state_.board.find(machine.name)) all.push_back({&pool, &machine, place});
      }
    }
    const auto key = [](const Candidate& c) {
      return std::tuple(-c.pool->spec.price_per_hour, utilization(*c.place));
    };
    std::stable_sort(all.begin(), all.end(),
                     [&](const Candidate& a, const Candidate& b) { return key(a) < key(b); });
    return all;
  }

  void look_at(const Candidate& candidate) {
    Pool& pool = *candidate.pool;
    Machine& machine = *candidate.machine;
    const bool surplus = pool.active() > pool.spec.max;
    const std::string needed = surplus ? std::string() : why_needed(candidate);
    if (!needed.empty()) {
      machine.unneeded_since.reset();
      machine.reason = needed;
      return;
    }
    if (!machine.unneeded_since) machine.unneeded_since = now_;
    machine.reason = surplus ? "more machines than max" : "unneeded";
    const Duration wait = surplus ? Duration::zero() : time_left(pool, machine);
    if (wait > Duration::zero()) {
      plan_.look_again(wait);
      return;
    }
    if (!candidate.place->pods.empty()) {
      if (draining_) return plan_.look_again(kEvictAgain);  // one after another
      draining_ = true;
    }
    begin(candidate);
  }

  Duration time_left(const Pool& pool, const Machine& machine) const {
    const auto& rules = pool.spec.scale_down;
    const Duration idle = machine.phase == Phase::kReady ? rules.unneeded_time : rules.unready_time;
    const WallTime due = std::max(*machine.unneeded_since + idle, last_added_ + rules.delay_after_add);
    return due - now_;
  }

  // Empty if the machine could go.
  std::string why_needed(const Candidate& candidate) {
    const Pool& pool = *candidate.pool;
    const Place& place = *candidate.place;
    if (!pool.spec.scale_down.enabled) return "scaleDown is not enabled";
    if (pool.active() <= pool.spec.min) return "min node group size reached";
    if (node_disabled(*place.node)) return "annotated " + std::string(kScaleDownDisabled);
    const double used = utilization(place);
    if (used > 0 && used >= pool.spec.scale_down.utilization_threshold)
      return "utilization " + std::to_string(static_cast<int>(used * 100)) + " %";
    for (const PodPtr& pod : place.pods) {
      if (pod->terminating) continue;
      std::string why = why_immovable(*pod);
      if (why.empty() && !budget_allows(*pod)) why = "pod " + pod->title() + " is kept by a PodDisruptionBudget";
      if (!why.empty()) return why;
    }
    return move_in_thought(place);
  }

  // Whether the pods have room elsewhere. Those of a machine that can go take that room, so that the next
  // machine is judged without it.
  std::string move_in_thought(const Place& place) {
    if (place.pods.empty()) {
      board_.drop_node(place.node->name);
      return {};
    }
    Board trial = board_;
    trial.drop_node(place.node->name);
    const placement::Rules rules{state_.policies, state_.budgets};
    for (const PodPtr& pod : place.pods) {
      if (pod->terminating) continue;
      PodView loose = *pod;
      loose.node.clear();
      const Placement there = placement::place(trial, loose, rules, now_);
      if (!there.node) return "pod " + pod->title() + " has no room elsewhere";
      trial.put_on(*there.node, placement::placed(loose, there));
    }
    board_ = std::move(trial);
    return {};
  }

  bool budget_allows(const PodView& pod) const {
    for (std::size_t i = 0; i < state_.budgets.size(); ++i) {
      if (state_.budgets[i].covers(pod) && budgets_left_[i] <= 0) return false;
    }
    return true;
  }

  void begin(const Candidate& candidate) {
    Machine& machine = *candidate.machine;
    machine.phase = Phase::kDraining;
    machine.since = now_;
    plan_.steps.push_back(
        {Step::Verb::kCordon, candidate.pool->name, machine.name, {}, nullptr, candidate.place->node});
    plan_.notes.push_back({candidate.pool->name, nullptr, candidate.place->node, false, "ScaleDown",
                           "marked the node as toBeDeleted/unschedulable"});
  }

  // Lets the pods of cordoned machines go, as budgets allow.
  void drain() {
    for (Pool& pool : state_.pools) {
      for (const Machine& machine : pool.machines) {
        if (machine.phase != Phase::kDraining) continue;
        const Place* place = state_.board.find(machine.name);
        if (place == nullptr) continue;
        if (!place->node->unschedulable) {
          plan_.steps.push_back({Step::Verb::kCordon, pool.name, machine.name, {}, nullptr, place->node});
          continue;
        }
        draining_ = draining_ || !place->pods.empty();
        for (const PodPtr& pod : place->pods) {
          if (!pod->terminating) evict(pool, machine, pod);
        }
      }
    }
  }

  void evict(const Pool& pool, const Machine& machine, const PodPtr& pod) {
    if (!budget_allows(*pod)) return plan_.look_again(kEvictAgain);
    for (std::size_t i = 0; i < state_.budgets.size(); ++i) {
      if (state_.budgets[i].covers(*pod)) --budgets_left_[i];
    }
    plan_.steps.push_back({Step::Verb::kEvict, pool.name, machine.name, {}, pod, nullptr});
    plan_.notes.push_back({pool.name, pod, nullptr, false, "ScaleDown", "deleting pod for node scale down"});
  }

  State& state_;
  Plan& plan_;
  const WallTime now_;
  Board board_;
  std::vector<std::int64_t> budgets_left_;
  WallTime last_added_{};
  bool draining_ = false;
};

}  // namespace

void scale_down(State& state, Plan& plan, WallTime now) { Ebb(state, plan, now).run(); }

}  // namespace tidegate::nodepool
