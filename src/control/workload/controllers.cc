#include "control/workload/controllers.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "control/workload/adoption.h"
#include "control/workload/claims.h"
#include "control/workload/deployment.h"
#include "control/workload/disruption.h"
#include "control/workload/endpoints.h"
#include "resource/fields.h"
#include "resource/selector.h"
#include "resource/workload.h"

namespace tidegate::workload {
namespace {

using cluster::Key;
using loop::Caches;
using loop::Controller;
using loop::Decision;
using resource::Object;
using resource::ObjectPtr;

constexpr Duration kSoon = std::chrono::milliseconds(20);

// What came before its owner, or lost it, or left its owner's selector.
Decision adopt_sets(const Kinds& kinds, const Object& deployment, const Caches& caches) {
  Decision decision;
  const auto view = resource::Deployment::from(deployment);
  if (!view || !deployment.metadata().deletion_timestamp.empty()) return decision;
  decision.actions = decide_adoption(deployment, view->selector, *kinds.replica_set,
                                     caches.list(*kinds.replica_set, deployment.namespace_()));
  return decision;
}
Decision adopt_pods(const Kinds& kinds, const Object& set, const Caches& caches) {
  Decision decision;
  const auto view = resource::ReplicaSet::from(set);
  if (!view || !set.metadata().deletion_timestamp.empty()) return decision;
  decision.actions =
      decide_adoption(set, view->selector, *kinds.pod, caches.list(*kinds.pod, set.namespace_()));
  return decision;
}

Controller deployments(const Kinds& kinds) {
  Controller controller;
  controller.name = "deployment";
  controller.sources = {{kinds.deployment, loop::own_key},
                        {kinds.replica_set, loop::owner_key("Deployment")}};
  controller.decide = [kinds](const Key& key, const Caches& caches, WallTime now) -> Decision {
    const ObjectPtr deployment = caches.get(*kinds.deployment, key);
    if (deployment == nullptr) return {};
    Decision adoption = adopt_sets(kinds, *deployment, caches);
    if (!adoption.actions.empty()) {
      adoption.again_in = kSoon;  // what was let go wakes this one no more
      return adoption;
    }
    const auto sets = caches.owned(*kinds.replica_set, *deployment);
    std::vector<PodFacts> pods;
    if (resource::text(deployment->json(), "spec.strategy.type") == "Recreate") {
      for (const ObjectPtr& set : sets) {
        for (const ObjectPtr& pod : caches.owned(*kinds.pod, *set)) pods.push_back(read_pod(pod));
      }
    }
    Decision decision = decide_deployment(kinds, *deployment, sets, pods, now);
    // Pods do not wake this controller; while Recreate waits for old ones to end, it looks.
    if (!pods.empty()) {
      const Duration soon = std::chrono::seconds(1);
      decision.again_in = std::min(decision.again_in.value_or(soon), soon);
    }
    return decision;
  };
  return controller;
}

Controller replica_sets(const Kinds& kinds, Random seed) {
  Controller controller;
  controller.name = "replicaset";
  controller.sources = {{kinds.replica_set, loop::own_key}, {kinds.pod, loop::owner_key("ReplicaSet")}};
  const auto random = std::make_shared<Random>(seed);
  controller.decide = [kinds, random](const Key& key, const Caches& caches, WallTime now) -> Decision {
    const ObjectPtr set = caches.get(*kinds.replica_set, key);
    if (set == nullptr) return {};
    Decision adoption = adopt_pods(kinds, *set, caches);
    if (!adoption.actions.empty()) {
      adoption.again_in = kSoon;  // what was let go wakes this one no more
      return adoption;
    }
    std::vector<PodFacts> pods;
    for (const ObjectPtr& pod : caches.owned(*kinds.pod, *set)) pods.push_back(read_pod(pod));
    return decide_replica_set(kinds, *set, pods, now, *random);
  };
  controller.after_failure = [kinds](const Key& key, const Error& error, const Caches& caches, WallTime now) {
    const ObjectPtr set = caches.get(*kinds.replica_set, key);
    if (set == nullptr || error.code == Code::kConflict) return std::vector<loop::Action>();
    return report_failure(kinds, *set, error, now);
  };
  return controller;
}

// What nobody owns wakes no owner. It wakes its namespace, where somebody may want it. Its new owner, which
// looks at the same time from older caches, would adopt it too and not put another in its place.
Controller strays(const Kinds& kinds) {
  Controller controller;
  controller.name = "adoption";
  const auto namespace_of_stray = [](const Object& object) {
    return is_controlled(object) ? std::vector<Key>() : std::vector<Key>{{object.namespace_(), ""}};
  };
  controller.sources = {{kinds.replica_set, namespace_of_stray}, {kinds.pod, namespace_of_stray}};
  controller.decide = [kinds](const Key& key, const Caches& caches, WallTime) -> Decision {
    Decision all;
    const auto add = [&](Decision one) {
      for (loop::Action& action : one.actions) all.actions.push_back(std::move(action));
    };
    for (const ObjectPtr& deployment : caches.list(*kinds.deployment, key.namespace_)) {
      add(adopt_sets(kinds, *deployment, caches));
    }
    for (const ObjectPtr& set : caches.list(*kinds.replica_set, key.namespace_)) {
      add(adopt_pods(kinds, *set, caches));
    }
    return all;
  };
  return controller;
}

// A pod concerns every Service of its namespace: one key per namespace, looked at as a whole.
Controller services(const Kinds& kinds) {
  const resource::Kind* service = resource::find_kind("v1", "Service");
  const resource::Kind* slice = resource::find_kind("discovery.k8s.io/v1", "EndpointSlice");
  TG_CHECK(service != nullptr && slice != nullptr);
  Controller controller;
  controller.name = "endpoints";
  const auto whole_namespace = [](const Object& object) {
    return std::vector<Key>{{object.namespace_(), ""}};
  };
  controller.sources = {{service, whole_namespace}, {kinds.pod, whole_namespace}, {slice, whole_namespace}};
  controller.decide = [kinds, service, slice](const Key& key, const Caches& caches, WallTime) -> Decision {
    Decision all;
    const auto pods = caches.list(*kinds.pod, key.namespace_);
    for (const ObjectPtr& each : caches.list(*service, key.namespace_)) {
      const ObjectPtr present = caches.get(*slice, cluster::key_of(*each));
      Decision one = decide_endpoints(*slice, *each, pods, present.get());
      for (loop::Action& action : one.actions) all.actions.push_back(std::move(action));
    }
    return all;
  };
  return controller;
}

std::vector<Key> all_together(const Object&) { return {{"", ""}}; }

// Claims compete for volumes across namespaces: one key for all of them.
Controller claims() {
  const resource::Kind* claim = resource::find_kind("v1", "PersistentVolumeClaim");
  const resource::Kind* volume = resource::find_kind("v1", "PersistentVolume");
  TG_CHECK(claim != nullptr && volume != nullptr);
  Controller controller;
  controller.name = "persistentvolume";
  controller.sources = {{claim, all_together}, {volume, all_together}};
  controller.decide = [claim, volume](const Key&, const Caches& caches, WallTime) {
    return decide_claims(caches.list(*claim), caches.list(*volume));
  };
  return controller;
}

// A pod concerns every budget of its namespace, and so does a change of scale.
Controller disruption_budgets(const Kinds& kinds) {
  const resource::Kind* budget = resource::find_kind("policy/v1", "PodDisruptionBudget");
  TG_CHECK(budget != nullptr);
  Controller controller;
  controller.name = "disruption";
  const auto whole_namespace = [](const Object& object) {
    return std::vector<Key>{{object.namespace_(), ""}};
  };
  controller.sources = {{budget, whole_namespace},
                        {kinds.pod, whole_namespace},
                        {kinds.replica_set, whole_namespace},
                        {kinds.deployment, whole_namespace}};
  controller.decide = [kinds, budget](const Key& key, const Caches& caches, WallTime now) {
    Decision all;
    const auto budgets = caches.list(*budget, key.namespace_);
    if (budgets.empty()) return all;
    std::vector<PodFacts> pods;
    for (const ObjectPtr& pod : caches.list(*kinds.pod, key.namespace_)) pods.push_back(read_pod(pod));
    const auto sets = caches.list(*kinds.replica_set, key.namespace_);
    const auto deployments = caches.list(*kinds.deployment, key.namespace_);
    for (const ObjectPtr& each : budgets) {
      Decision one = decide_disruption(*budget, *each, pods, sets, deployments, now);
      for (loop::Action& action : one.actions) all.actions.push_back(std::move(action));
      for (auto& event : one.events) all.events.push_back(std::move(event));
      if (one.again_in) all.again_in = std::min(all.again_in.value_or(*one.again_in), *one.again_in);
    }
    return all;
  };
  return controller;
}

}  // namespace

std::vector<Controller> controllers(Random random) {
  const Kinds kinds = Kinds::find();
  return {deployments(kinds), replica_sets(kinds, random), strays(kinds), services(kinds),
          claims(),           disruption_budgets(kinds)};
}

}  // namespace tidegate::workload
