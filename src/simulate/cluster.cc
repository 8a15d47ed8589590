#include "simulate/cluster.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "control/placement/round.h"
#include "simulate/scaler.h"

namespace tidegate::simulate {
namespace {

using What = Happening::What;

constexpr const char* kNamespace = "default";
constexpr const char* kApp = "engine";
constexpr const char* kGpu = "nvidia.com/gpu";
constexpr WallTime kBeginning{std::chrono::seconds(1'800'000'000)};
constexpr Duration kContainerStart = std::chrono::seconds(1);

WallTime wall(TimePoint now) { return kBeginning + now.time_since_epoch(); }

double hours(Duration duration) { return seconds(duration) / 3600; }

}  // namespace

Cluster::Cluster(ClusterSpec spec, Fleet& fleet, Chronicle& chronicle, std::uint64_t seed)
    : spec_(std::move(spec)), fleet_(fleet), chronicle_(chronicle), random_(seed) {
  state_.pools = spec_.pools;
  state_.policies = spec_.policies;
  plan(TimePoint{}, Due::kReconcile);
  plan(TimePoint{}, Due::kAutoscale);
  set_replicas(std::clamp(spec_.start, spec_.hpa.min_replicas, spec_.hpa.max_replicas), TimePoint{});
}

void Cluster::plan(TimePoint at, Due due, std::uint64_t pod) {
  if (due == Due::kReconcile) {
    if (reconcile_at_ && *reconcile_at_ <= at) return;
    reconcile_at_ = at;
  }
  timeline_.push({at, order_++, due, pod});
}

void Cluster::advance() {
  const Entry entry = timeline_.top();
  timeline_.pop();
  const TimePoint now = entry.at;
  if (entry.due == Due::kAutoscale) return autoscale(now);
  if (entry.due == Due::kReconcile) {
    if (reconcile_at_ != now) return;  // an earlier one took its place
    reconcile_at_.reset();
    return reconcile(now);
  }
  const auto found = pods_.find(entry.pod);
  if (found == pods_.end()) return;
  Pod& pod = found->second;
  if (entry.due == Due::kKill) {
    if (pod.endpoint && on_killed) on_killed(*pod.endpoint);
    return forget_pod(entry.pod, now);
  }
  if (pod.view->terminating) return;
  if (entry.due == Due::kRunning) {
    pod.facts.phase = workload::PodPhase::kRunning;
    return;
  }
  pod.endpoint = fleet_.add(now);
  pod.busy_seen = Duration::zero();
  pod.facts.ready = true;
  pod.facts.ready_since = wall(now);
  change(pod, [](placement::PodView& view) { view.ready = true; });
  chronicle_.add({now, What::kPodReady, pod.view->name, pod.view->node});
}

void Cluster::drained(EndpointId endpoint, TimePoint now) {
  for (const auto& [number, pod] : pods_) {
    if (pod.endpoint == endpoint && pod.view->terminating) return forget_pod(number, now);
  }
}

// --- how many replicas ---

autoscale::DemandReading Cluster::demand(TimePoint now) {
  autoscale::DemandReading reading;
  for (const auto& [number, pod] : pods_) {
    if (!pod.endpoint) continue;
    const Engine& engine = fleet_.engine(*pod.endpoint);
    reading.in_flight += fleet_.in_flight(*pod.endpoint);
    capacity_.learn(pod.view->name,
                    {.running = static_cast<double>(engine.running()),
                     .waiting = static_cast<double>(engine.queued()),
                     .kv_usage = engine.kv_usage(now)},
                    spec_.rule.demand->ttft_target, wall(now));
  }
  reading.held = static_cast<double>(held_);
  reading.capacity = capacity_.capacity();
  return reading;
}

autoscale::State Cluster::observe(TimePoint now) {
  autoscale::State state;
  state.hpa = &spec_.hpa;
  state.scale = autoscale::Scale{.replicas = replicas_,
                                 .status_replicas = static_cast<std::int64_t>(pods_.size()),
                                 .selector = std::string("app=") + kApp,
                                 .selector_error = {}};
  const Duration since = now - read_;
  read_ = now;
  if (spec_.rule.demand) {
    state.demand = demand(now);
    return state;
  }
  autoscale::Reading reading;
  const bool by_use = !spec_.hpa.metrics.empty() && spec_.hpa.metrics[0].name == kSmUtilization;
  for (auto& [number, pod] : pods_) {
    autoscale::PodState& seen = state.pods.emplace_back();
    seen.name = pod.view->name;
    seen.terminating = pod.view->terminating;
    seen.ready = pod.facts.ready;
    const bool runs = pod.facts.phase == workload::PodPhase::kRunning;
    seen.phase = runs ? autoscale::Phase::kRunning : autoscale::Phase::kPending;
    if (!runs) continue;
    seen.started = wall(pod.bound);
    if (seen.ready) seen.ready_changed = pod.facts.ready_since;
    // A pod that loads its weights is seen, and idle.
    double value = 0;
    if (pod.endpoint && by_use) {
      const Duration busy = fleet_.engine(*pod.endpoint).busy(now);
      value = 100 * seconds(busy - pod.busy_seen) / std::max(seconds(since), 1e-3);
      pod.busy_seen = busy;
    } else if (pod.endpoint) {
      const Engine& engine = fleet_.engine(*pod.endpoint);
      value = static_cast<double>(engine.running() + engine.queued());
    }
    reading.pods[seen.name] = {static_cast<std::int64_t>(std::min(value, 1e9) * 1000), wall(now), since};
  }
  state.readings.assign(spec_.hpa.metrics.size(), reading);
  return state;
}

void Cluster::autoscale(TimePoint now) {
  plan(now + spec_.rule.period, Due::kAutoscale);
  const autoscale::State state = observe(now);
  autoscale::Outcome outcome = autoscale::decide(state, spec_.rule, memory_, spec_.autoscale, wall(now));
  memory_ = std::move(outcome.memory);
  if (outcome.replicas) set_replicas(*outcome.replicas, now);
}

void Cluster::set_replicas(std::int64_t replicas, TimePoint now) {
  if (replicas == replicas_) return;
  chronicle_.add({now, What::kScaled, kApp, {}, replicas_, replicas});
  replicas_ = replicas;
  std::vector<workload::PodFacts> active;
  for (const auto& [number, pod] : pods_) {
    if (!pod.view->terminating) active.push_back(pod.facts);
  }
  auto have = static_cast<std::int64_t>(active.size());
  for (; have < replicas_; ++have) create_pod(now);
  if (have == replicas_) return;
  workload::sort_victims_first(active, wall(now));
  for (std::int64_t i = 0; i < have - replicas_; ++i) {
    remove_pod(by_uid_.at(active[static_cast<std::size_t>(i)].object->metadata().uid), now);
  }
}

// --- pods ---

void Cluster::create_pod(TimePoint now) {
  const std::uint64_t number = ++pods_made_;
  Pod& pod = pods_[number];
  placement::PodView view;
  view.namespace_ = kNamespace;
  view.name = std::string(kApp) + "-" + std::to_string(number);
  view.uid = random_uuid(random_);
  view.labels = {{"app", kApp}};
  view.requests.set(kGpu, spec_.gpus * 1000);
  view.replicated = true;
  view.created = wall(now);
  by_uid_[view.uid] = number;
  auto object = resource::Object::make(
      {{"apiVersion", "v1"},
       {"kind", "Pod"},
       {"metadata", {{"name", view.name}, {"namespace", kNamespace}, {"uid", view.uid}}}});
  TG_CHECK(object.has_value());
  pod.facts.object = *object;
  pod.facts.created = view.created;
  pod.view = std::make_shared<const placement::PodView>(std::move(view));
  state_.pods.push_back(pod.view);
  chronicle_.add({now, What::kPodMade, pod.view->name, {}});
  plan(now, Due::kReconcile);
}

// Every holder of the old view gets the new one.
void Cluster::change(Pod& pod, const std::function<void(placement::PodView&)>& how) {
  auto copy = std::make_shared<placement::PodView>(*pod.view);
  how(*copy);
  const placement::PodPtr before = std::exchange(pod.view, std::move(copy));
  std::replace(state_.pods.begin(), state_.pods.end(), before, pod.view);
  if (!before->node.empty()) {
    state_.board.drop(before->node, before->uid);
    state_.board.put_on(before->node, pod.view);
  }
}

void Cluster::remove_pod(std::uint64_t number, TimePoint now) {
  Pod& pod = pods_.at(number);
  if (pod.view->terminating) return;
  chronicle_.add({now, What::kPodLeaves, pod.view->name, pod.view->node});
  if (!pod.endpoint) return forget_pod(number, now);
  fleet_.drain(*pod.endpoint);
  if (fleet_.in_flight(*pod.endpoint) == 0) return forget_pod(number, now);
  change(pod, [](placement::PodView& view) { view.terminating = true; });
  pod.facts.terminating = true;
  plan(now + spec_.grace, Due::kKill, number);
  plan(now, Due::kReconcile);
}

void Cluster::forget_pod(std::uint64_t number, TimePoint now) {
  Pod& pod = pods_.at(number);
  if (pod.endpoint) fleet_.remove(*pod.endpoint);
  if (!pod.view->node.empty()) {
    state_.board.drop(pod.view->node, pod.view->uid);
    bill_.gpu_hours += hours(now - pod.bound) * static_cast<double>(spec_.gpus);
  }
  chronicle_.add({now, What::kPodGone, pod.view->name, pod.view->node});
  std::erase(state_.pods, pod.view);
  by_uid_.erase(pod.view->uid);
  pods_.erase(number);
  plan(now, Due::kReconcile);
}

// --- nodes and machines ---

void Cluster::reconcile(TimePoint now) {
  // Machines that join let pods be placed, pods that are placed leave other machines idle.
  constexpr int kRounds = 8;
  for (int round = 0; round < kRounds; ++round) {
    const bool placed = place_pods(now);
    const bool acted = run_pools(now);
    if (!placed && !acted) return;
  }
  plan(now + std::chrono::seconds(1), Due::kReconcile);
}

bool Cluster::place_pods(TimePoint now) {
  std::vector<placement::PodPtr> waiting;
  std::copy_if(state_.pods.begin(), state_.pods.end(), std::back_inserter(waiting),
               [](const placement::PodPtr& pod) { return placement::waits(*pod); });
  if (waiting.empty()) return false;
  bool any = false;
  for (const auto& outcome :
       placement::place_all(state_.board, waiting, {state_.policies, state_.budgets}, wall(now))) {
    const std::uint64_t number = by_uid_.at(outcome.pod->uid);
    Pod& pod = pods_.at(number);
    if (outcome.placement.again_in) plan(now + *outcome.placement.again_in, Due::kReconcile);
    if (!outcome.placement.node) {
      if (pod.view->told_reason.empty()) {
        change(pod, [](placement::PodView& view) { view.told_reason = "Unschedulable"; });
      }
      continue;
    }
    any = true;
    // place_all has put a view of its own on the board.
    state_.board.drop(*outcome.placement.node, outcome.pod->uid);
    change(pod,
           [&](placement::PodView& view) { view = *placement::placed(*outcome.pod, outcome.placement); });
    state_.board.put_on(*outcome.placement.node, pod.view);
    pod.facts.node = pod.view->node;
    pod.facts.deletion_cost = outcome.placement.policy != nullptr ? -outcome.placement.unit : 0;
    pod.bound = now;
    chronicle_.add({now, What::kPodBound, pod.view->name, pod.view->node});
    plan(now + kContainerStart, Due::kRunning, number);
    plan(now + spec_.load_time, Due::kReady, number);
  }
  return any;
}

bool Cluster::run_pools(TimePoint now) {
  const nodepool::Plan decided = nodepool::decide(state_, wall(now));
  // A machine that was asked for just now is looked at again, as its record's change would cause.
  const bool changed = note_machines(now);
  for (const nodepool::Step& step : decided.steps) act(step, now);
  if (decided.again_in) plan(now + std::max(*decided.again_in, Duration(1)), Due::kReconcile);
  return changed || !decided.steps.empty();
}

bool Cluster::note_machines(TimePoint now) {
  bool changed = false;
  std::map<std::string, const nodepool::Pool*> there;
  for (const nodepool::Pool& pool : state_.pools) {
    for (const nodepool::Machine& machine : pool.machines) there[machine.name] = &pool;
  }
  for (const auto& [name, pool] : there) {
    if (machines_.try_emplace(name, Owned{now, pool->spec.price_per_hour}).second) {
      changed = true;
      chronicle_.add({now, What::kMachineAsked, name, pool->name});
    }
  }
  for (auto each = machines_.begin(); each != machines_.end();) {
    if (there.contains(each->first)) {
      ++each;
      continue;
    }
    const double used = each->second.price > 0 ? hours(now - each->second.since) : 0;
    bill_.machine_hours += used;
    bill_.cost += used * each->second.price;
    chronicle_.add({now, What::kMachineGone, each->first, {}});
    each = machines_.erase(each);
    changed = true;
  }
  return changed;
}

void Cluster::act(const nodepool::Step& step, TimePoint now) {
  using Verb = nodepool::Step::Verb;
  switch (step.verb) {
    case Verb::kAsk:
    case Verb::kLabel:
    case Verb::kResize:
    case Verb::kGiveBack:
      break;
    case Verb::kRegister: {
      const auto pool = std::find_if(state_.pools.begin(), state_.pools.end(),
                                     [&](const nodepool::Pool& each) { return each.name == step.pool; });
      state_.board.put(nodepool::template_node(*pool, step.machine));
      chronicle_.add({now, What::kNodeJoined, step.machine, step.pool});
      break;
    }
    case Verb::kCordon: {
      placement::NodeView node = *state_.board.find(step.machine)->node;
      node.unschedulable = true;
      state_.board.put(std::make_shared<const placement::NodeView>(std::move(node)));
      chronicle_.add({now, What::kNodeCordoned, step.machine, step.pool});
      break;
    }
    case Verb::kEvict:
      evict(step.pod->uid, now);
      break;
    case Verb::kUnregister:
      unregister(step.machine, now);
      break;
  }
}

// Its owner makes another one at once.
void Cluster::evict(const std::string& uid, TimePoint now) {
  const auto found = by_uid_.find(uid);
  if (found == by_uid_.end() || pods_.at(found->second).view->terminating) return;
  remove_pod(found->second, now);
  create_pod(now);
}

// What still runs on the node ends with it.
void Cluster::unregister(const std::string& node, TimePoint now) {
  std::vector<std::uint64_t> lost;
  for (const auto& [number, pod] : pods_) {
    if (pod.view->node == node) lost.push_back(number);
  }
  for (const std::uint64_t number : lost) {
    const Pod& pod = pods_.at(number);
    const bool owed = !pod.view->terminating;
    if (pod.endpoint && on_killed) on_killed(*pod.endpoint);
    forget_pod(number, now);
    if (owed) create_pod(now);
  }
  state_.board.drop_node(node);
}

Bill Cluster::bill(TimePoint now) const {
  Bill bill = bill_;
  for (const auto& [number, pod] : pods_) {
    if (!pod.view->node.empty()) {
      bill.gpu_hours += hours(now - pod.bound) * static_cast<double>(spec_.gpus);
    }
  }
  for (const auto& [name, owned] : machines_) {
    if (owned.price == 0) continue;
    bill.machine_hours += hours(now - owned.since);
    bill.cost += hours(now - owned.since) * owned.price;
  }
  return bill;
}

}  // namespace tidegate::simulate
