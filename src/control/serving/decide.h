// One round over one InferenceService: which children are made, brought up to date or removed, and what it
// says of itself.
//
// A new revision replaces the old one by a rolling update, unless canaryTrafficPercent is below 100: then the
// old one stays as it is, the new one runs beside it as a Deployment of its own, and an Ingress with a weight
// gives it its share. Raising the share to 100 (or removing the field) rolls it out; putting the old spec
// back drops it.
//
// Thread: pure.

#pragma once

#include <optional>
#include <vector>

#include "base/clock.h"
#include "control/loop/decision.h"
#include "control/serving/settings.h"
#include "resource/kind.h"
#include "resource/object.h"

namespace tidegate::serving {

struct Kinds {
  const resource::Kind* service = nullptr;      // InferenceService
  const resource::Kind* llm_service = nullptr;  // LLMInferenceService
  const resource::Kind* deployment = nullptr;
  const resource::Kind* core_service = nullptr;
  const resource::Kind* autoscaler = nullptr;
  const resource::Kind* ingress = nullptr;
  const resource::Kind* runtime = nullptr;
  const resource::Kind* cluster_runtime = nullptr;
  static Kinds find();
};

struct State {
  resource::ObjectPtr object;
  resource::ObjectPtr written = nullptr;  // as its user wrote it, if `object` was translated (llm.h)
  // Of this service's namespace and controlled by it.
  std::vector<resource::ObjectPtr> deployments;
  std::vector<resource::ObjectPtr> services;
  std::vector<resource::ObjectPtr> autoscalers;
  std::vector<resource::ObjectPtr> ingresses;
  std::vector<resource::ObjectPtr> runtimes;  // ServingRuntimes, then ClusterServingRuntimes
  std::optional<Error> refused = {};          // why what it needs could not be made; then only that is told
};

loop::Decision decide(const Kinds& kinds, const State& state, const Settings& settings, WallTime now);

}  // namespace tidegate::serving
