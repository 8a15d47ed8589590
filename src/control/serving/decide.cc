#include "control/serving/decide.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "base/check.h"
#include "control/serving/children.h"
#include "control/serving/llm.h"
#include "control/serving/status.h"
#include "resource/fields.h"

namespace tidegate::serving {
namespace {

using loop::Action;
using loop::Decision;
using resource::AutoscalerClass;
using resource::InferenceService;
using resource::Json;
using resource::Object;
using resource::ObjectPtr;

ObjectPtr named(const std::vector<ObjectPtr>& objects, const std::string& name) {
  const auto found = std::find_if(objects.begin(), objects.end(),
                                  [&](const ObjectPtr& object) { return object->name() == name; });
  return found == objects.end() ? nullptr : *found;
}

std::string revision_of(const Object& deployment) {
  const auto& annotations = deployment.metadata().annotations;
  const auto found = annotations.find(kRevisionAnnotation);
  return found == annotations.end() ? std::string() : found->second;
}

// Collects what has to be done to bring one list of children to what is wanted of them.
class Reconciler {
 public:
  explicit Reconciler(Decision& decision) : decision_(decision) {}

  void want(const resource::Kind& kind, const std::vector<ObjectPtr>& present, Json document,
            bool keep_replicas = false) {
    const ObjectPtr there = named(present, document["metadata"]["name"]);
    if (there == nullptr) {
      decision_.actions.push_back(Action::create(kind, std::move(document), "serve"));
    } else if (Json next = brought_to(there->json(), document, keep_replicas);
               !resource::same_content(there->json(), next)) {
      decision_.actions.push_back(Action::update(kind, std::move(next), "serve"));
    }
    if (there != nullptr) wanted_.emplace(&kind, there->name());
  }

  // Removes those of a kind that nothing was wanted of.
  void sweep(const resource::Kind& kind, const std::vector<ObjectPtr>& present) {
    for (const ObjectPtr& object : present) {
      if (!object->metadata().deletion_timestamp.empty() || wanted_.contains({&kind, object->name()}))
        continue;
      decision_.actions.push_back(Action::remove(kind, *object, "no longer asked for"));
    }
  }

 private:
  Decision& decision_;
  std::set<std::pair<const resource::Kind*, std::string>> wanted_;  // of those that are here
};

struct Plan {
  std::optional<PodTemplateJson> pods;
  bool canary = false;  // the new revision runs beside the old one
  Outlook outlook;
};

Plan make_plan(const State& state, const InferenceService& service, const Settings& settings) {
  Plan plan;
  auto pods = make_template(*state.object, service, state.runtimes, settings);
  if (!pods) {
    plan.outlook.broken = pods.error();
    return plan;
  }
  plan.pods = *std::move(pods);
  plan.outlook.revision = plan.pods->revision;
  const ObjectPtr stable = named(state.deployments, stable_name(*state.object));
  const int percent = service.predictor.canary_percent.value_or(100);
  plan.canary = stable != nullptr && percent < 100 && revision_of(*stable) != plan.pods->revision;
  if (plan.canary) plan.outlook.canary_percent = percent;
  return plan;
}

bool scaled_by_others(const InferenceService& service) {
  return service.autoscaler != AutoscalerClass::kNone;
}

void want_children(const Kinds& kinds, const State& state, const InferenceService& service, const Plan& plan,
                   const Settings& settings, Reconciler& reconciler) {
  const Object& owner = *state.object;
  const PodTemplateJson* pods = &*plan.pods;
  const bool keep = scaled_by_others(service);
  const Track stable{stable_name(owner), pods};
  if (plan.canary) {
    const Track canary{canary_name(owner), pods};
    reconciler.want(*kinds.deployment, state.deployments, deployment(owner, service, canary), keep);
    reconciler.want(*kinds.core_service, state.services, serving::service(owner, canary));
    reconciler.want(*kinds.ingress, state.ingresses,
                    canary_ingress(owner, canary, *plan.outlook.canary_percent, settings));
    if (service.autoscaler == AutoscalerClass::kHpa) {
      reconciler.want(*kinds.autoscaler, state.autoscalers, autoscaler(owner, service, canary));
    }
    // What is rolled out stays untouched.
    const ObjectPtr old = named(state.deployments, stable.name);
    reconciler.want(*kinds.deployment, state.deployments, old->json(), keep);
  } else {
    reconciler.want(*kinds.deployment, state.deployments, deployment(owner, service, stable), keep);
  }
  reconciler.want(*kinds.core_service, state.services, serving::service(owner, stable));
  reconciler.want(*kinds.ingress, state.ingresses, ingress(owner, stable, settings));
  if (service.autoscaler == AutoscalerClass::kHpa) {
    reconciler.want(*kinds.autoscaler, state.autoscalers, autoscaler(owner, service, stable));
  }
}

// In KServe's words: that the service has become ready, that it no longer is; and why nothing can be made of
// it.
void say_changes(const Object& object, const Json& after, const Outlook& outlook, Decision& decision) {
  const auto note = [&](bool good, const char* reason, const std::string& message) {
    auto event = good ? cluster::normal(object, reason, message) : cluster::warning(object, reason, message);
    decision.events.push_back(std::move(event).from("v1beta1Controllers"));
  };
  const std::string title = object.kind() + " [" + object.name() + "]";
  const bool was = resource::condition_is_true(object.json(), "Ready");
  const bool is = resource::condition_is_true(after, "Ready");
  if (is && !was) note(true, "InferenceServiceReady", title + " is Ready");
  if (was && !is) note(false, "InferenceServiceNotReady", title + " is no longer Ready");
  if (!outlook.broken) return;
  const char* type = is_llm(object) ? "MainWorkloadReady" : "PredictorReady";
  const Json* told = resource::condition(object.json(), type);
  const std::string why = describe(*outlook.broken);
  if (told == nullptr || resource::text(*told, "message") != why) note(false, "InvalidPredictorSpec", why);
}

}  // namespace

Kinds Kinds::find() {
  Kinds kinds;
  kinds.service = resource::find_kind("serving.kserve.io/v1beta1", "InferenceService");
  kinds.llm_service = resource::find_kind("serving.kserve.io/v1alpha2", "LLMInferenceService");
  kinds.deployment = resource::find_kind("apps/v1", "Deployment");
  kinds.core_service = resource::find_kind("v1", "Service");
  kinds.autoscaler = resource::find_kind("autoscaling/v2", "HorizontalPodAutoscaler");
  kinds.ingress = resource::find_kind("networking.k8s.io/v1", "Ingress");
  kinds.runtime = resource::find_kind("serving.kserve.io/v1alpha1", "ServingRuntime");
  kinds.cluster_runtime = resource::find_kind("serving.kserve.io/v1alpha1", "ClusterServingRuntime");
  TG_CHECK(kinds.service != nullptr && kinds.llm_service != nullptr && kinds.deployment != nullptr &&
           kinds.core_service != nullptr && kinds.autoscaler != nullptr && kinds.ingress != nullptr &&
           kinds.runtime != nullptr && kinds.cluster_runtime != nullptr);
  return kinds;
}

Decision decide(const Kinds& kinds, const State& state, const Settings& settings, WallTime now) {
  Decision decision;
  const Object& object = *state.object;
  const auto service = InferenceService::from(object);
  if (!service || !object.metadata().deletion_timestamp.empty()) return decision;

  Plan plan;
  Reconciler reconciler(decision);
  if (state.refused) {
    plan.outlook.broken = state.refused;
  } else if (!service->stopped) {
    plan = make_plan(state, *service, settings);
  }
  if (plan.pods) want_children(kinds, state, *service, plan, settings, reconciler);
  // A spec of which nothing can be made leaves alone what runs, and is tried again: the runtime it names may
  // come.
  if (plan.outlook.broken) {
    decision.again_in = std::chrono::seconds(30);
  } else {
    reconciler.sweep(*kinds.ingress, state.ingresses);
    reconciler.sweep(*kinds.autoscaler, state.autoscalers);
    reconciler.sweep(*kinds.core_service, state.services);
    reconciler.sweep(*kinds.deployment, state.deployments);
  }

  const ObjectPtr stable = named(state.deployments, stable_name(object));
  const ObjectPtr canary = plan.canary ? named(state.deployments, canary_name(object)) : nullptr;
  const ObjectPtr route = named(state.ingresses, object.name());
  Json status =
      status_of(object, *service, {stable.get(), canary.get(), route.get()}, plan.outlook, settings, now);
  const Json* before = resource::find(object.json(), "status");
  if (before == nullptr || !resource::same_content(*before, status)) {
    Json document = state.written == nullptr ? object.json() : state.written->json();
    document["status"] = std::move(status);
    say_changes(object, document, plan.outlook, decision);
    decision.actions.push_back(
        Action::update_status(is_llm(object) ? *kinds.llm_service : *kinds.service, std::move(document)));
  }
  return decision;
}

}  // namespace tidegate::serving
