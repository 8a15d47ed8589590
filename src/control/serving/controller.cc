#include "control/serving/controller.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "control/serving/decide.h"

namespace tidegate::serving {
namespace {

using cluster::Key;
using loop::Caches;
using resource::ObjectPtr;

std::vector<ObjectPtr> owned(const Caches& caches, const resource::Kind& kind,
                             const resource::Object& owner) {
  std::vector<ObjectPtr> result;
  for (const ObjectPtr& object : caches.list(kind, owner.namespace_())) {
    for (const auto& reference : object->metadata().owner_references) {
      if (reference.controller && reference.uid == owner.metadata().uid) result.push_back(object);
    }
  }
  return result;
}

}  // namespace

loop::Controller controller(Settings settings) {
  const Kinds kinds = Kinds::find();
  const auto of_service = loop::owner_key("InferenceService");
  loop::Controller controller;
  controller.name = "serving";
  controller.sources = {{kinds.service, loop::own_key},
                        {kinds.deployment, of_service},
                        {kinds.core_service, of_service},
                        {kinds.autoscaler, of_service},
                        {kinds.ingress, of_service}};
  // Runtimes wake nobody: a service that waits for one looks again by itself.
  const auto nobody = [](const resource::Object&) { return std::vector<Key>{}; };
  controller.sources.push_back({kinds.runtime, nobody});
  controller.sources.push_back({kinds.cluster_runtime, nobody});
  controller.decide = [kinds, settings = std::move(settings)](const Key& key, const Caches& caches,
                                                              WallTime now) {
    State state;
    state.object = caches.get(*kinds.service, key);
    if (state.object == nullptr) return loop::Decision{};
    state.deployments = owned(caches, *kinds.deployment, *state.object);
    state.services = owned(caches, *kinds.core_service, *state.object);
    state.autoscalers = owned(caches, *kinds.autoscaler, *state.object);
    state.ingresses = owned(caches, *kinds.ingress, *state.object);
    state.runtimes = caches.list(*kinds.runtime, key.namespace_);
    for (const ObjectPtr& runtime : caches.list(*kinds.cluster_runtime)) state.runtimes.push_back(runtime);
    loop::Decision decision = decide(kinds, state, settings, now);
    decision.again_in = std::chrono::seconds(30);
    return decision;
  };
  return controller;
}

}  // namespace tidegate::serving
