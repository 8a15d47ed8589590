#include "control/serving/controller.h"

#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "control/serving/decide.h"
#include "control/serving/llm.h"

namespace tidegate::serving {
namespace {

using cluster::Key;
using loop::Caches;
using resource::ObjectPtr;

using Find = std::function<void(const Key& key, const Caches& caches, State& state)>;

// The controller of one kind of service; `find` puts its object into the state.
loop::Controller make(const Kinds& kinds, const resource::Kind& kind, const char* name,
                      const Settings& settings, Find find) {
  const auto of_service = loop::owner_key(kind.kind);
  loop::Controller controller;
  controller.name = name;
  controller.sources = {{&kind, loop::own_key},
                        {kinds.deployment, of_service},
                        {kinds.core_service, of_service},
                        {kinds.autoscaler, of_service},
                        {kinds.ingress, of_service}};
  // Runtimes wake nobody: a service that waits for one looks again by itself.
  const auto nobody = [](const resource::Object&) { return std::vector<Key>{}; };
  controller.sources.push_back({kinds.runtime, nobody});
  controller.sources.push_back({kinds.cluster_runtime, nobody});
  const auto read = [kinds, find = std::move(find)](const Key& key, const Caches& caches) {
    State state;
    find(key, caches, state);
    if (state.object == nullptr) return state;
    state.deployments = caches.owned(*kinds.deployment, *state.object);
    state.services = caches.owned(*kinds.core_service, *state.object);
    state.autoscalers = caches.owned(*kinds.autoscaler, *state.object);
    state.ingresses = caches.owned(*kinds.ingress, *state.object);
    state.runtimes = caches.list(*kinds.runtime, key.namespace_);
    for (const ObjectPtr& runtime : caches.list(*kinds.cluster_runtime)) state.runtimes.push_back(runtime);
    return state;
  };
  controller.decide = [kinds, settings, read](const Key& key, const Caches& caches, WallTime now) {
    const State state = read(key, caches);
    return state.object == nullptr ? loop::Decision{} : decide(kinds, state, settings, now);
  };
  controller.after_failure = [kinds, settings, read](const Key& key, const Error& error, const Caches& caches,
                                                     WallTime now) {
    State state = read(key, caches);
    // Anything else may be right at the next try.
    const bool lasts = error.code == Code::kInvalid || error.code == Code::kForbidden;
    if (state.object == nullptr || !lasts) return std::vector<loop::Action>();
    state.refused = error;
    loop::Decision told = decide(kinds, state, settings, now);
    // The status alone, and what is new in it.
    if (!told.actions.empty() && !told.events.empty())
      told.actions.back() = std::move(told.actions.back()).saying(told.events.back());
    return told.actions;
  };
  return controller;
}

}  // namespace

std::vector<loop::Controller> controllers(const Settings& settings) {
  const Kinds kinds = Kinds::find();
  std::vector<loop::Controller> controllers;
  controllers.push_back(make(kinds, *kinds.service, "serving", settings,
                             [kinds](const Key& key, const Caches& caches, State& state) {
                               state.object = caches.get(*kinds.service, key);
                             }));
  controllers.push_back(make(kinds, *kinds.llm_service, "llm-serving", settings,
                             [kinds](const Key& key, const Caches& caches, State& state) {
                               state.written = caches.get(*kinds.llm_service, key);
                               if (state.written == nullptr) return;
                               // What admission accepted can be translated.
                               state.object = as_inference_service(*state.written).value_or(nullptr);
                             }));
  return controllers;
}

}  // namespace tidegate::serving
