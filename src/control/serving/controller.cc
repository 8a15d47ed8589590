#include "control/serving/controller.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "control/serving/decide.h"

namespace tidegate::serving {
namespace {

using cluster::Key;
using loop::Caches;
using resource::ObjectPtr;

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
    state.deployments = caches.owned(*kinds.deployment, *state.object);
    state.services = caches.owned(*kinds.core_service, *state.object);
    state.autoscalers = caches.owned(*kinds.autoscaler, *state.object);
    state.ingresses = caches.owned(*kinds.ingress, *state.object);
    state.runtimes = caches.list(*kinds.runtime, key.namespace_);
    for (const ObjectPtr& runtime : caches.list(*kinds.cluster_runtime)) state.runtimes.push_back(runtime);
    return decide(kinds, state, settings, now);
  };
  return controller;
}

}  // namespace tidegate::serving
