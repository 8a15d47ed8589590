// What became of the machines: who came, who did not, who is lost, who has left.

#include <algorithm>
#include <cstdlib>

#include "control/nodepool/decide.h"

namespace tidegate::nodepool {
namespace {

using placement::Place;
using resource::PoolProvider;

constexpr Duration kExecRetry = std::chrono::seconds(10);

// The ordinal at the end of a machine's name, from 0.
std::int64_t ordinal_of(const Machine& machine) {
  const std::size_t dash = machine.name.rfind('-');
  return dash == std::string::npos ? 0 : std::atoll(machine.name.c_str() + dash + 1) - 1;
}

bool fails_by_injection(const Pool& pool, const Machine& machine) {
  const resource::LocalMachines& local = pool.spec.local;
  if (pool.spec.provider != PoolProvider::kLocal || local.fail_first == 0) return false;
  const std::int64_t ordinal = ordinal_of(machine);
  return (local.fail_every > 0 ? ordinal % local.fail_every : ordinal) < local.fail_first;
}

// A machine that is on its way. False if it will not come.
bool watch_boot(const State& state, Pool& pool, Machine& machine, const Place* place, Plan& plan,
                WallTime now) {
  if (place != nullptr && place->node->ready) {
    become_ready(pool, machine, place->node, plan, now);
    return true;
  }
  const Duration age = now - machine.requested;
  if (age >= pool.spec.scale_up.provision_timeout) {
    fail(pool, machine.name, "not ready within its provisionTimeout", plan, now);
    return false;
  }
  plan.look_again(pool.spec.scale_up.provision_timeout - age);
  if (machine.registered) return true;
  if (pool.spec.provider == PoolProvider::kExec) {
    const auto answer = state.exec.find("create/" + machine.name);
    if (answer == state.exec.end()) {
      plan.steps.push_back({Step::Verb::kAsk, pool.name, machine.name, "create", nullptr, nullptr});
      return true;
    }
    if (!answer->second.done) return true;
    machine.registered = answer->second.ok;
    if (!answer->second.ok) fail(pool, machine.name, answer->second.message, plan, now);
    return answer->second.ok;
  }
  const Duration delay =
      pool.spec.provider == PoolProvider::kLocal ? pool.spec.local.boot_delay : Duration::zero();
  if (age < delay) {
    plan.look_again(delay - age);
    return true;
  }
  if (fails_by_injection(pool, machine)) {
    fail(pool, machine.name, pool.spec.local.fail_reason, plan, now);
    return false;
  }
  machine.registered = true;
  if (place == nullptr)
    plan.steps.push_back({Step::Verb::kRegister, pool.name, machine.name, {}, nullptr, nullptr});
  return true;
}

// A machine whose pods are leaving. False once it has gone.
bool watch_drain(const State& state, Pool& pool, Machine& machine, const Place* place, Plan& plan,
                 WallTime now) {
  if (place != nullptr) {
    const Duration age = now - machine.since;
    const bool late = age >= pool.spec.scale_down.drain_timeout;
    // Until the node is cordoned a pod may still be bound to it.
    const bool settled = place->pods.empty() && place->node->unschedulable;
    if (machine.phase == Phase::kDraining && !settled && !late) {
      plan.look_again(pool.spec.scale_down.drain_timeout - age);
      return true;
    }
    plan.steps.push_back({Step::Verb::kUnregister, pool.name, machine.name, {}, nullptr, place->node});
    plan.notes.push_back(
        {pool.name, nullptr, nullptr, false, place->pods.empty() ? "ScaleDownEmpty" : "ScaleDown",
         place->pods.empty()
             ? "Scale-down: empty node " + machine.name + " removed"
             : "Scale-down: node " + machine.name + " removed with its pods after drainTimeout"});
    enter(machine, Phase::kLeaving, now);
    return true;
  }
  if (pool.spec.provider != PoolProvider::kExec) return false;
  if (machine.phase != Phase::kLeaving) enter(machine, Phase::kLeaving, now);
  const auto answer = state.exec.find("delete/" + machine.name);
  if (answer != state.exec.end() && answer->second.done && answer->second.ok) return false;
  if (answer != state.exec.end() && answer->second.done) machine.reason = answer->second.message;
  plan.steps.push_back({Step::Verb::kAsk, pool.name, machine.name, "delete", nullptr, nullptr});
  plan.look_again(kExecRetry);
  return true;
}

void release_unborn(Pool& pool, const Machine& machine, const Place* place, Plan& plan) {
  if (place != nullptr)
    plan.steps.push_back({Step::Verb::kUnregister, pool.name, machine.name, {}, nullptr, place->node});
  if (pool.spec.provider == PoolProvider::kExec)
    plan.steps.push_back({Step::Verb::kAsk, pool.name, machine.name, "delete", nullptr, nullptr});
}

// False if its record goes.
bool watch(const State& state, Pool& pool, Machine& machine, Plan& plan, WallTime now) {
  const Place* place = state.board.find(machine.name);
  switch (machine.phase) {
    case Phase::kBooting:
      if (watch_boot(state, pool, machine, place, plan, now)) return true;
      release_unborn(pool, machine, place, plan);
      return false;
    case Phase::kReady:
    case Phase::kNotReady: {
      if (place == nullptr) {
        plan.notes.push_back({pool.name, nullptr, nullptr, true, "MachineLost",
                              "the Node of machine " + machine.name + " was removed by somebody else"});
        enter(machine, Phase::kLeaving, now);
        return watch_drain(state, pool, machine, place, plan, now);
      }
      const Phase seen = place->node->ready ? Phase::kReady : Phase::kNotReady;
      if (machine.phase != seen) enter(machine, seen, now);
      return true;
    }
    case Phase::kDraining:
    case Phase::kLeaving:
      return watch_drain(state, pool, machine, place, plan, now);
  }
  return true;
}

// Nodes that bear the pool's label and that nobody here has started: machines that exist.
void adopt(const State& state, Pool& pool, WallTime now) {
  const auto label = pool.spec.labels.find(std::string(resource::kNodePoolLabel));
  for (const auto& [name, place] : state.board.places()) {
    const auto own = place.node->labels.find(label->first);
    if (own == place.node->labels.end() || own->second != label->second) continue;
    const bool known = std::any_of(pool.machines.begin(), pool.machines.end(),
                                   [&](const Machine& machine) { return machine.name == name; });
    if (known) continue;
    pool.machines.push_back({.name = name,
                             .phase = place.node->ready ? Phase::kReady : Phase::kNotReady,
                             .requested = place.node->created,
                             .since = now,
                             .registered = true,
                             .unneeded_since = {},
                             .reason = "adopted"});
  }
}

}  // namespace

void enter(Machine& machine, Phase phase, WallTime now, std::string reason) {
  machine.phase = phase;
  machine.since = now;
  machine.reason = std::move(reason);
}

void become_ready(Pool& pool, Machine& machine, const placement::NodePtr& node, Plan& plan, WallTime now) {
  enter(machine, Phase::kReady, now);
  machine.registered = true;
  pool.failures = 0;
  pool.backoff_until.reset();
  pool.backoff_reason.clear();
  const auto took = std::chrono::round<std::chrono::seconds>(now - machine.requested).count();
  plan.notes.push_back({pool.name, nullptr, node, false, "MachineReady",
                        "machine " + machine.name + " of pool " + pool.name + " is ready after " +
                            std::to_string(took) + " s"});
}

void fail(Pool& pool, const std::string& machine, const std::string& why, Plan& plan, WallTime now) {
  Duration backoff = pool.spec.scale_up.backoff;
  for (int i = 0; i < pool.failures && backoff < pool.spec.scale_up.backoff_max; ++i) backoff *= 2;
  pool.backoff_until = now + std::min(backoff, pool.spec.scale_up.backoff_max);
  pool.backoff_reason = why;
  ++pool.failures;
  plan.notes.push_back({pool.name, nullptr, nullptr, true, "FailedToScaleUpGroup",
                        "Scale-up failed for group " + pool.name + ", machine " + machine + ": " + why});
}

void observe(State& state, Plan& plan, WallTime now) {
  for (Pool& pool : state.pools) {
    if (pool.spec.provider == PoolProvider::kExternalGrpc) {
      follow_provider(state, pool, plan, now);
    } else {
      std::vector<Machine> kept;
      for (Machine& machine : pool.machines) {
        if (watch(state, pool, machine, plan, now)) kept.push_back(std::move(machine));
      }
      pool.machines = std::move(kept);
      adopt(state, pool, now);
    }
    if (pool.backed_off(now)) plan.look_again(*pool.backoff_until - now);
  }
}

}  // namespace tidegate::nodepool
