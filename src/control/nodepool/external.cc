// Machines of an external gRPC cloud provider. It is told a number and brings instances with ids of its own;
// their Nodes join by themselves. So a machine is first one of the number, then an instance, then a Node.
//
// What is asked follows from comparing what it has with what is wanted, each time anew: a call whose outcome
// is unknown, or a restart, does no harm. The pool owns the group's size: what was not asked for here and has
// not come is taken back, what has come is adopted.

#include <algorithm>

#include "control/nodepool/decide.h"

namespace tidegate::nodepool {
namespace {

using externalgrpc::Instance;
using externalgrpc::InstanceState;
using externalgrpc::View;
using placement::Place;

constexpr Duration kAgain = std::chrono::seconds(10);          // after an error
constexpr Duration kGiveBackAgain = std::chrono::seconds(60);  // after a success that shows no effect

class Follow {
 public:
  Follow(const State& state, Pool& pool, const View& view, Plan& plan, WallTime now)
      : state_(state), pool_(pool), view_(view), plan_(plan), now_(now) {}

  void run() {
    take_errors();
    take_facts();
    if (view_.seen) {
      link_instances();
      count_coming();
    }
    link_nodes();
    std::vector<Machine> kept;
    for (Machine& machine : pool_.machines) {
      if (watch(machine)) kept.push_back(std::move(machine));
    }
    pool_.machines = std::move(kept);
    if (view_.settled()) resize();
  }

 private:
  const Place* place_of(const Machine& machine) const { return state_.board.find(machine.name); }

  const Instance* instance_of(const Machine& machine) const {
    const auto& all = view_.group.instances;
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const Instance& i) { return i.id == machine.instance; });
    return found == all.end() ? nullptr : &*found;
  }

  // Whether the provider still counts it among the group's.
  bool listed(const Machine& machine) const {
    const Instance* instance = instance_of(machine);
    if (instance != nullptr) return instance->state != InstanceState::kDeleting;
    return view_.group.members.contains(machine.name);
  }

  void take_errors() {
    if (!view_.heard()) return;
    const std::string now = view_.failed ? view_.error : no_template();
    if (now.empty() && !pool_.provider_error.empty())
      plan_.notes.push_back(
          {pool_.name, nullptr, nullptr, false, "ProviderAnswers", "the pool's provider answers again"});
    if (!now.empty() && pool_.provider_error.empty())
      plan_.notes.push_back({pool_.name, nullptr, nullptr, true, "ProviderFailed", now});
    pool_.provider_error = now;
  }

  std::string no_template() const {
    if (!pool_.spec.capacity.empty()) return {};
    if (!view_.group.node)
      return "the service tells no template of a Node; say in spec.capacity what a machine has";
    const auto& capacity = view_.group.node->capacity;
    for (const char* needed : {"cpu", "memory"}) {
      const auto found = capacity.find(needed);
      if (found == capacity.end() || !Quantity::parse(found->second))
        return "the service's template tells no " + std::string(needed) +
               "; say in spec.capacity what a machine has";
    }
    return {};
  }

  // What the pool says goes before what its provider says.
  void take_facts() {
    if (!view_.seen) return;
    pool_.provider_max = view_.group.max;
    if (view_.group.price && pool_.spec.price_per_hour == 0) pool_.spec.price_per_hour = *view_.group.price;
    if (!view_.group.node) return;
    const externalgrpc::Template& node = *view_.group.node;
    pool_.provider_labels = node.labels;
    if (pool_.spec.taints.empty()) {
      for (const auto& taint : node.taints)
        pool_.spec.taints.push_back({taint.key, taint.value, taint.effect});
    }
    if (!pool_.spec.capacity.empty() || !no_template().empty()) return;
    for (const auto& [name, text] : node.capacity) {
      const auto quantity = Quantity::parse(text);
      if (quantity && quantity->milli >= 0) pool_.spec.capacity[name] = *quantity;
    }
    pool_.spec.capacity.emplace("pods", Quantity{110'000});
  }

  // The oldest that is only a number yet.
  Machine* oldest_coming(bool without_instance) {
    Machine* oldest = nullptr;
    for (Machine& machine : pool_.machines) {
      const bool open = without_instance ? machine.instance.empty() : true;
      if (machine.phase != Phase::kBooting || !open || place_of(machine) != nullptr) continue;
      if (oldest == nullptr || machine.requested < oldest->requested) oldest = &machine;
    }
    return oldest;
  }

  void link_instances() {
    std::set<std::string> known;
    for (const Machine& machine : pool_.machines) known.insert(machine.instance);
    for (const Instance& instance : view_.group.instances) {
      if (known.contains(instance.id) || instance.state == InstanceState::kDeleting) continue;
      Machine* machine = oldest_coming(true);
      if (machine == nullptr) machine = &adopt();
      machine->instance = instance.id;
    }
  }

  Machine& adopt() {
    launch(pool_, state_.board, now_);
    pool_.machines.back().reason = "adopted";
    return pool_.machines.back();
  }

  // The number that the provider still owes, given to the oldest.
  std::int64_t owed() const {
    const auto there = std::count_if(view_.group.instances.begin(), view_.group.instances.end(),
                                     [](const Instance& i) { return i.state != InstanceState::kDeleting; });
    return std::max<std::int64_t>(0, view_.group.target - there);
  }

  bool is_number(const Machine& machine) const {
    return machine.phase == Phase::kBooting && machine.instance.empty() && place_of(machine) == nullptr;
  }

  void count_coming() {
    std::int64_t left = owed();
    for (Machine& machine : pool_.machines) {
      if (machine.phase != Phase::kBooting) continue;
      machine.registered = !is_number(machine) || left-- > 0;
    }
  }

  void link_nodes() {
    for (const auto& [name, place] : state_.board.places()) {
      Machine* machine = machine_of(name, *place.node);
      if (machine == nullptr && !view_.group.members.contains(name)) continue;
      if (machine == nullptr) machine = oldest_coming(false);
      if (machine == nullptr) machine = &adopt();
      machine->name = name;
      if (machine->instance.empty()) machine->instance = place.node->provider_id;
      label(*machine, place.node);
    }
  }

  Machine* machine_of(const std::string& name, const placement::NodeView& node) {
    for (Machine& machine : pool_.machines) {
      if (machine.name == name || (!node.provider_id.empty() && machine.instance == node.provider_id))
        return &machine;
    }
    return nullptr;
  }

  bool has_labels(const placement::NodeView& node) const {
    return std::all_of(pool_.spec.labels.begin(), pool_.spec.labels.end(), [&](const auto& label) {
      const auto own = node.labels.find(label.first);
      return own != node.labels.end() && own->second == label.second;
    });
  }

  // So that a pod that meant the pool by its labels finds the Node.
  void label(const Machine& machine, const placement::NodePtr& node) {
    if (!has_labels(*node))
      plan_.steps.push_back({Step::Verb::kLabel, pool_.name, machine.name, {}, nullptr, node});
  }

  // False if its record goes.
  bool watch(Machine& machine) {
    const Place* place = place_of(machine);
    switch (machine.phase) {
      case Phase::kBooting:
        return watch_boot(machine, place);
      case Phase::kReady:
      case Phase::kNotReady:
        watch_work(machine, place);
        return true;
      case Phase::kDraining:
      case Phase::kLeaving:
        return watch_end(machine, place);
    }
    return true;
  }

  // A Node with the provider's GPU label is not ready before its devices are.
  bool has_devices(const placement::NodeView& node) const {
    if (view_.group.gpu_label.empty() || !node.labels.contains(view_.group.gpu_label)) return true;
    return std::any_of(node.allocatable.begin(), node.allocatable.end(), [](const auto& amount) {
      return placement::is_extended(amount.first) && amount.second > 0;
    });
  }

  bool watch_boot(Machine& machine, const Place* place) {
    // Before that, pods that need it may not fit on it, and would get a second machine.
    if (place != nullptr && place->node->ready && has_labels(*place->node) && has_devices(*place->node)) {
      become_ready(pool_, machine, place->node, plan_, now_);
      return true;
    }
    const Instance* instance = instance_of(machine);
    const Duration age = now_ - machine.requested;
    std::string why;
    if (instance != nullptr && !instance->error.empty()) {
      why = instance->error;
    } else if (age >= pool_.spec.scale_up.provision_timeout) {
      why = "not ready within its provisionTimeout";
    } else if (is_number(machine) && !machine.registered) {
      why = refused(machine);
    } else if (view_.seen && *view_.seen >= machine.since && !machine.instance.empty() && place == nullptr &&
               !listed(machine)) {
      why = "its provider has taken back instance " + machine.instance;
    }
    if (why.empty()) {
      plan_.look_again(pool_.spec.scale_up.provision_timeout - age);
      return true;
    }
    // All that fail at once are one failure of the group.
    if (!failed_) fail(pool_, machine.name, why, plan_, now_);
    failed_ = true;
    if (instance == nullptr && place == nullptr) return false;
    enter(machine, Phase::kLeaving, now_, why);
    return true;
  }

  // Why the provider will not bring it, if it was asked since.
  std::string refused(const Machine& machine) const {
    if (view_.grow_failed && *view_.grow_failed >= machine.requested) return view_.grow_error;
    if (view_.failed && *view_.failed >= machine.requested) return view_.error;
    return {};
  }

  void watch_work(Machine& machine, const Place* place) {
    const Instance* instance = instance_of(machine);
    if (place == nullptr) {
      lose(machine, "the Node of machine " + machine.name + " was removed by somebody else");
    } else if (instance != nullptr && instance->state == InstanceState::kDeleting) {
      enter(machine, Phase::kDraining, now_, "its provider takes it back");
      plan_.steps.push_back({Step::Verb::kCordon, pool_.name, machine.name, {}, nullptr, place->node});
      plan_.notes.push_back(
          {pool_.name, nullptr, place->node, true, "ScaleDown", "the provider takes the machine back"});
    } else if (!place->node->ready && view_.settled() && !listed(machine)) {
      lose(machine, "machine " + machine.name + " is not ready and its provider does not know it any more");
    } else {
      const Phase seen = place->node->ready ? Phase::kReady : Phase::kNotReady;
      if (machine.phase != seen) enter(machine, seen, now_);
    }
  }

  void lose(Machine& machine, const std::string& why) {
    plan_.notes.push_back({pool_.name, nullptr, nullptr, true, "MachineLost", why});
    enter(machine, Phase::kLeaving, now_);
  }

  // The Node stays, cordoned, until its provider has agreed: what still runs is never forgotten.
  bool watch_end(Machine& machine, const Place* place) {
    if (machine.phase == Phase::kDraining && place != nullptr) {
      const Duration age = now_ - machine.since;
      const bool late = age >= pool_.spec.scale_down.drain_timeout;
      if (!late && !(place->pods.empty() && place->node->unschedulable)) {
        plan_.look_again(pool_.spec.scale_down.drain_timeout - age);
        return true;
      }
    }
    if (machine.phase != Phase::kLeaving) enter(machine, Phase::kLeaving, now_);
    if (!view_.settled()) {
      if (!pool_.provider_error.empty()) machine.reason = "waits for its provider: " + pool_.provider_error;
      return true;
    }
    // As its Node says it, or else as the provider lists it.
    const std::string& of_node = place == nullptr ? machine.instance : place->node->provider_id;
    const std::string& id = of_node.empty() ? machine.instance : of_node;
    const auto asked = view_.removals.find(id);
    const bool was_asked = asked != view_.removals.end();
    if (listed(machine) || (place != nullptr && !was_asked)) {
      if (was_asked) machine.reason = asked->second.error;
      const Duration pause = !was_asked                    ? Duration::zero()
                             : asked->second.error.empty() ? kGiveBackAgain
                                                           : kAgain;
      const Duration left = was_asked ? asked->second.at + pause - now_ : Duration::zero();
      if (left > Duration::zero()) {
        plan_.look_again(left);
      } else {
        plan_.steps.push_back({Step::Verb::kGiveBack,
                               pool_.name,
                               machine.name,
                               {},
                               nullptr,
                               place == nullptr ? nullptr : place->node,
                               0,
                               id});
      }
      return true;
    }
    if (place == nullptr) return false;
    plan_.steps.push_back({Step::Verb::kUnregister, pool_.name, machine.name, {}, nullptr, place->node});
    plan_.notes.push_back({pool_.name, nullptr, nullptr, false,
                           place->pods.empty() ? "ScaleDownEmpty" : "ScaleDown",
                           "Scale-down: node " + machine.name + " removed"});
    return true;
  }

  void resize() {
    const auto numbers = std::count_if(pool_.machines.begin(), pool_.machines.end(),
                                       [&](const Machine& machine) { return is_number(machine); });
    const std::int64_t by = numbers - owed();
    if (by == 0) return;
    // A provider that does not let go of a number is asked again, but not without a pause.
    if (by < 0 && view_.grow_failed && now_ - *view_.grow_failed < kAgain) return plan_.look_again(kAgain);
    plan_.steps.push_back({Step::Verb::kResize, pool_.name, {}, {}, nullptr, nullptr, by});
  }

  const State& state_;
  Pool& pool_;
  const View& view_;
  Plan& plan_;
  const WallTime now_;
  bool failed_ = false;
};

// The pool before this one that means the same node group; empty if there is none. Both would count its
// machines.
std::string rival(const State& state, const Pool& pool) {
  for (const Pool& other : state.pools) {
    if (other.spec.provider == resource::PoolProvider::kExternalGrpc && other.name < pool.name &&
        other.spec.external_grpc.address == pool.spec.external_grpc.address &&
        other.spec.external_grpc.node_group == pool.spec.external_grpc.node_group)
      return other.name;
  }
  return {};
}

}  // namespace

void follow_provider(State& state, Pool& pool, Plan& plan, WallTime now) {
  View view;
  if (const std::string other = rival(state, pool); !other.empty()) {
    view.failed = now;
    view.error = "pool " + other + " has the node group " + pool.spec.external_grpc.node_group +
                 " already; name another one, or delete one of the pools";
  } else if (const auto found = state.external.find(pool.name); found != state.external.end()) {
    view = found->second;
  }
  Follow(state, pool, view, plan, now).run();
}

bool unheard(const State& state) {
  return std::any_of(state.pools.begin(), state.pools.end(), [&](const Pool& pool) {
    if (pool.spec.provider != resource::PoolProvider::kExternalGrpc) return false;
    const auto found = state.external.find(pool.name);
    return found == state.external.end() || !found->second.heard();
  });
}

}  // namespace tidegate::nodepool
