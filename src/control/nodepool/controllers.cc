#include "control/nodepool/controllers.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/log.h"
#include "control/externalgrpc/workers.h"
#include "control/nodepool/decide.h"
#include "control/nodepool/exec.h"
#include "control/nodepool/status.h"
#include "control/placement/views.h"
#include "resource/fields.h"
#include "resource/json.h"

namespace tidegate::nodepool {
namespace {

using loop::Action;
using loop::Decision;
using resource::Json;
using resource::ObjectPtr;

constexpr const char* kComponent = "cluster-autoscaler";
constexpr std::size_t kStrangersMax = 100;
constexpr Duration kExecLook = std::chrono::milliseconds(200);  // while a program runs

class Autoscaler {
 public:
  Autoscaler(const resource::Kind& pool_kind, placement::Kinds kinds)
      : pool_kind_(pool_kind), kinds_(kinds) {}

  Decision decide(const loop::Caches& caches, WallTime now) {
    State state = read(caches);
    const Plan plan = nodepool::decide(state, now);
    Decision decision;
    decision.again_in = plan.again_in;
    orders_.clear();
    for (const Pool& pool : state.pools) keep(pool, now, decision);
    for (const Step& step : plan.steps) take(step, state, now, decision);
    for (const Note& note : plan.notes) tell(note, state, decision);
    const auto look = ask_providers(state, now);
    if (look) decision.again_in = std::min(decision.again_in.value_or(*look), *look);
    exec_.forget([&](const std::string& machine) { return known(state, machine); });
    std::erase_if(told_, [&](const auto& entry) { return !waits_[entry.first]; });
    if (exec_.busy()) decision.again_in = std::min(decision.again_in.value_or(kExecLook), kExecLook);
    return decision;
  }

 private:
  State read(const loop::Caches& caches) {
    placement::Cluster cluster = views_.read(kinds_, caches);
    State state;
    for (const ObjectPtr& object : caches.list(pool_kind_)) {
      if (auto pool = read_pool(object)) state.pools.push_back(std::move(*pool));
    }
    state.board = std::move(cluster.board);
    state.pods = std::move(cluster.pods);
    state.policies = std::move(cluster.policies);
    state.budgets = std::move(cluster.budgets);
    state.exec = exec_.answers();
    std::map<std::string, externalgrpc::Setting> settings;
    for (const Pool& pool : state.pools) {
      if (pool.spec.provider == resource::PoolProvider::kExternalGrpc) settings[pool.name] = setting_of(pool);
    }
    providers_.keep(settings);
    state.external = providers_.views();
    waits_.clear();
    for (const placement::PodPtr& pod : state.pods) waits_[pod->uid] = placement_waits(*pod);
    return state;
  }

  static externalgrpc::Setting setting_of(const Pool& pool) {
    const resource::ExternalGrpcMachines& spec = pool.spec.external_grpc;
    return {.service = {.address = spec.address,
                        .key = spec.key,
                        .cert = spec.cert,
                        .cacert = spec.cacert,
                        .timeout = spec.timeout,
                        .group = spec.node_group},
            .refresh = spec.refresh};
  }

  // What was decided goes out, and what is old is read anew.
  std::optional<Duration> ask_providers(const State& state, WallTime now) {
    for (auto& [pool, order] : orders_) providers_.order(pool, std::move(order), now);
    return providers_.look(strangers(state), now);
  }

  static externalgrpc::Node as_shown(const std::string& id, const placement::NodeView& node) {
    return {id, node.name, node.labels, node.object->metadata().annotations};
  }

  // Nodes that belong to no pool as far as we know: a provider whose ids are other ones than its Nodes' is
  // asked.
  static std::vector<externalgrpc::Node> strangers(const State& state) {
    std::set<std::string> ours;
    for (const auto& [pool, view] : state.external) {
      for (const externalgrpc::Instance& instance : view.group.instances) ours.insert(instance.id);
    }
    std::vector<externalgrpc::Node> nodes;
    if (state.external.empty()) return nodes;
    for (const auto& [name, place] : state.board.places()) {
      const std::string& id = place.node->provider_id;
      if (id.empty() || id.starts_with("local://") || place.node->object == nullptr) continue;
      if (!ours.contains(id) && nodes.size() < kStrangersMax) nodes.push_back(as_shown(id, *place.node));
    }
    return nodes;
  }

  static bool placement_waits(const placement::PodView& pod) { return pod.node.empty() && !pod.ended; }

  static bool known(const State& state, const std::string& machine) {
    return std::any_of(state.pools.begin(), state.pools.end(), [&](const Pool& pool) {
      return std::any_of(pool.machines.begin(), pool.machines.end(),
                         [&](const Machine& each) { return each.name == machine; });
    });
  }

  static const Pool& pool_of(const State& state, const std::string& name) {
    const auto found = std::find_if(state.pools.begin(), state.pools.end(),
                                    [&](const Pool& pool) { return pool.name == name; });
    TG_CHECK(found != state.pools.end());
    return *found;
  }

  // A machine is asked for only once its record is stored; see observe.cc.
  void keep(const Pool& pool, WallTime now, Decision& decision) {
    Json document = write_pool(pool, now);
    if (resource::same_content(document, pool.object->json())) return;
    decision.actions.push_back(Action::update_status(pool_kind_, std::move(document)));
  }

  void take(const Step& step, const State& state, WallTime now, Decision& decision) {
    const Pool& pool = pool_of(state, step.pool);
    switch (step.verb) {
      case Step::Verb::kAsk:
        ask(pool, step);
        break;
      case Step::Verb::kRegister:
        decision.actions.push_back(
            Action::create(*kinds_.node, node_document(pool, step.machine, now), "machine " + step.machine));
        break;
      case Step::Verb::kCordon:
        decision.actions.push_back(cordon(*step.node, now));
        break;
      case Step::Verb::kEvict:
        decision.actions.push_back(Action::remove(*kinds_.pod, *step.pod->object, "node scale down"));
        break;
      case Step::Verb::kUnregister:
        decision.actions.push_back(Action::remove(*kinds_.node, *step.node->object, "scale down"));
        break;
      case Step::Verb::kLabel:
        decision.actions.push_back(label(pool, *step.node));
        break;
      case Step::Verb::kResize:
        orders_[pool.name].grow = step.by;
        break;
      case Step::Verb::kGiveBack:
        orders_[pool.name].remove.push_back(
            step.node != nullptr ? as_shown(step.instance, *step.node)
                                 : externalgrpc::Node{step.instance, step.instance, pool.spec.labels, {}});
        break;
    }
  }

  Action label(const Pool& pool, const placement::NodeView& node) const {
    Json labels = Json::object();
    for (const auto& [key, value] : pool.spec.labels) labels[key] = value;
    return Action::patch(*kinds_.node, *node.object, Json{{"metadata", {{"labels", std::move(labels)}}}},
                         "labels of pool " + pool.name);
  }

  Action cordon(const placement::NodeView& node, WallTime now) const {
    Json taints = Json::array();
    if (const Json* before = resource::find_array(node.object->json(), "spec.taints")) taints = *before;
    const bool there = std::any_of(taints.begin(), taints.end(), [](const Json& taint) {
      return resource::text(taint, "key") == kToBeDeleted;
    });
    if (!there) {
      const auto since = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
      taints.push_back(Json{
          {"key", std::string(kToBeDeleted)}, {"value", std::to_string(since)}, {"effect", "NoSchedule"}});
    }
    return Action::patch(*kinds_.node, *node.object,
                         Json{{"spec", {{"unschedulable", true}, {"taints", taints}}}}, "cordoned");
  }

  void ask(const Pool& pool, const Step& step) {
    Json capacity = Json::object();
    for (const auto& [name, quantity] : pool.spec.capacity) capacity[name] = quantity.text();
    const Json node = node_document(pool, step.machine, WallTime{});
    Json input{{"action", step.call},        {"pool", pool.name},       {"machine", step.machine},
               {"labels", pool.spec.labels}, {"taints", Json::array()}, {"capacity", std::move(capacity)}};
    if (const Json* taints = resource::find_array(node, "spec.taints")) input["taints"] = *taints;
    exec_.ask(step.call, step.machine, pool.spec.exec.command, resource::to_text(input),
              pool.spec.exec.timeout);
  }

  void tell(const Note& note, const State& state, Decision& decision) {
    const ObjectPtr about = note.pod != nullptr    ? note.pod->object
                            : note.node != nullptr ? note.node->object
                                                   : pool_of(state, note.pool).object;
    if (note.reason == "NotTriggerScaleUp") {
      // It holds for as long as the pod waits: said once, and again when the reason changes.
      std::string& before = told_[note.pod->uid];
      if (before == note.message) return;
      before = note.message;
    }
    auto event = note.warning ? cluster::warning(*about, note.reason, note.message)
                              : cluster::normal(*about, note.reason, note.message);
    decision.events.push_back(std::move(event).from(kComponent));
  }

  const resource::Kind& pool_kind_;
  const placement::Kinds kinds_;
  placement::Views views_;
  Exec exec_;
  externalgrpc::Workers providers_;
  std::map<std::string, externalgrpc::Order> orders_;  // of this round, by pool
  std::map<std::string, std::string> told_;            // by the pod's uid: why no pool grows for it
  std::map<std::string, bool> waits_;                  // by uid, this round
};

}  // namespace

std::vector<loop::Controller> controllers() {
  const resource::Kind* pool = resource::find_kind("tidegate.dev/v1alpha1", "NodePool");
  TG_CHECK(pool != nullptr);
  const placement::Kinds kinds = placement::Kinds::find();
  loop::Controller controller;
  controller.name = "nodepool";
  const auto everything = [](const resource::Object&) { return std::vector<cluster::Key>{{"", "all"}}; };
  for (const resource::Kind* kind :
       {pool, kinds.pod, kinds.node, kinds.policy, kinds.priority_class, kinds.name_space, kinds.budget}) {
    if (kind != nullptr) controller.sources.push_back({kind, everything});
  }
  const auto autoscaler = std::make_shared<Autoscaler>(*pool, kinds);
  controller.decide = [autoscaler](const cluster::Key&, const loop::Caches& caches, WallTime now) {
    return autoscaler->decide(caches, now);
  };
  return {controller};
}

}  // namespace tidegate::nodepool
