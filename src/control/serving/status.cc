#include "control/serving/status.h"

#include <nlohmann/json.hpp>

#include "control/serving/children.h"
#include "control/serving/llm.h"
#include "resource/condition.h"
#include "resource/fields.h"

namespace tidegate::serving {
namespace {

using resource::Condition;
using resource::Json;
using resource::Object;

std::string revision_name(const Object& owner, const std::string& revision) {
  return stable_name(owner) + "-" + revision;
}

std::string revision_of(const Object& owner, const Object& deployment) {
  const auto& annotations = deployment.metadata().annotations;
  const auto found = annotations.find(kRevisionAnnotation);
  return revision_name(owner, found == annotations.end() ? std::string() : found->second);
}

bool available(const Object* deployment) {
  return deployment != nullptr && resource::condition_is_true(deployment->json(), "Available");
}

Condition predictor_ready(const Children& children, const Outlook& outlook) {
  Condition condition{.type = "PredictorReady", .status = "False"};
  if (outlook.broken) {
    condition.reason = "InvalidPredictorSpec";
    condition.message = describe(*outlook.broken);
    return condition;
  }
  const Object* newest = children.canary != nullptr ? children.canary : children.stable;
  if (newest == nullptr) {
    condition.status = "Unknown";
    condition.reason = "DeploymentMissing";
    condition.message = "The Deployment is being made";
    return condition;
  }
  if (available(newest)) return {.type = "PredictorReady", .status = "True"};
  for (const char* type : {"Progressing", "Available"}) {
    const Json* said = resource::condition(newest->json(), type);
    if (said == nullptr || resource::text(*said, "status") != "False") continue;
    condition.reason = resource::text(*said, "reason");
    condition.message = resource::text(*said, "message");
    return condition;
  }
  condition.reason = "MinimumReplicasUnavailable";
  condition.message = "Deployment does not have minimum availability.";
  return condition;
}

Condition ingress_ready(const Children& children, const Condition& predictor) {
  const bool addressed =
      children.ingress != nullptr &&
      resource::find_array(children.ingress->json(), "status.loadBalancer.ingress") != nullptr;
  if (children.ingress == nullptr) {
    return {
        .type = "IngressReady",
        .status = "False",
        .reason = "Predictor ingress not created",
        .message = predictor.status == "True" ? "The Ingress is being made" : "Waiting for the predictor"};
  }
  if (addressed) return {.type = "IngressReady", .status = "True"};
  return {.type = "IngressReady",
          .status = "False",
          .reason = "AddressPending",
          .message = "No gateway serves the Ingress yet; see its class"};
}

// KServe has other words for the same of a language model.
std::string type_for(const Object& object, const std::string& type) {
  if (is_llm(object) && type == "PredictorReady") return "MainWorkloadReady";
  if (is_llm(object) && type == "IngressReady") return "RouterReady";
  return type;
}

Condition all_of(const Condition& a, const Condition& b) {
  const Condition* worst = a.status != "True" ? &a : b.status != "True" ? &b : nullptr;
  if (worst == nullptr) return {.type = "Ready", .status = "True"};
  return {.type = "Ready",
          .status = worst->status,
          .reason = worst->type + "NotReady",
          .message = worst->message};
}

Json traffic(const Object& owner, const Children& children, const Outlook& outlook) {
  Json list = Json::array();
  if (children.canary != nullptr && outlook.canary_percent && children.stable != nullptr) {
    list.push_back({{"latestRevision", true},
                    {"percent", *outlook.canary_percent},
                    {"revisionName", revision_name(owner, outlook.revision)}});
    list.push_back({{"latestRevision", false},
                    {"percent", 100 - *outlook.canary_percent},
                    {"revisionName", revision_of(owner, *children.stable)},
                    {"tag", "prev"}});
  } else {
    list.push_back({{"latestRevision", true},
                    {"percent", 100},
                    {"revisionName", revision_name(owner, outlook.revision)}});
  }
  return list;
}

Json predictor_component(const Object& owner, const Children& children, const Outlook& outlook,
                         const Settings& settings) {
  Json component = {{"url", "http://" + host_of(settings, stable_name(owner), owner.namespace_())}};
  if (outlook.revision.empty()) return component;
  component["latestCreatedRevision"] = revision_name(owner, outlook.revision);
  const Object* newest = children.canary != nullptr ? children.canary : children.stable;
  if (available(newest)) component["latestReadyRevision"] = revision_name(owner, outlook.revision);
  if (children.stable != nullptr && available(children.stable)) {
    component["latestRolledoutRevision"] = revision_of(owner, *children.stable);
  }
  component["traffic"] = traffic(owner, children, outlook);
  return component;
}

Json model_status(const Condition& predictor, const Outlook& outlook) {
  const bool loaded = predictor.status == "True";
  Json status = {{"transitionStatus", outlook.broken ? "InvalidSpec"
                                      : loaded       ? "UpToDate"
                                                     : "InProgress"},
                 {"states",
                  {{"activeModelState", loaded ? "Loaded" : ""},
                   {"targetModelState", loaded           ? "Loaded"
                                        : outlook.broken ? "FailedToLoad"
                                                         : "Pending"}}}};
  if (outlook.broken) {
    status["lastFailureInfo"] = {{"reason", "InvalidPredictorSpec"}, {"message", describe(*outlook.broken)}};
  }
  return status;
}

}  // namespace

Json status_of(const Object& object, const resource::InferenceService& service, const Children& children,
               const Outlook& outlook, const Settings& settings, WallTime now) {
  const Json* before = resource::find(object.json(), "status");
  Json status = before != nullptr ? *before : Json::object();
  status["observedGeneration"] = object.metadata().generation;
  Json& conditions = status["conditions"];
  const std::string time = rfc3339(now);
  const auto say = [&](Condition condition) {
    condition.type = type_for(object, condition.type);
    resource::set_condition(conditions, condition, time);
  };
  say({.type = "Stopped", .status = service.stopped ? "True" : "False"});
  if (service.stopped) {
    for (const char* type : {"PredictorReady", "IngressReady", "Ready"}) {
      say({.type = type,
           .status = "False",
           .reason = "Stopped",
           .message = "serving.kserve.io/stop is true"});
    }
    for (const char* field : {"url", "address", "components", "modelStatus"}) status.erase(field);
    return status;
  }
  Condition predictor = predictor_ready(children, outlook);
  Condition ingress = ingress_ready(children, predictor);
  for (Condition* condition : {&predictor, &ingress}) condition->type = type_for(object, condition->type);
  say(predictor);
  say(ingress);
  say(all_of(predictor, ingress));
  const std::string host = host_of(settings, object.name(), object.namespace_());
  status["url"] = "http://" + host;
  status["address"] = {
      {"url", "http://" + stable_name(object) + "." + object.namespace_() + ".svc.cluster.local"}};
  if (is_llm(object)) return status;
  status["components"]["predictor"] = predictor_component(object, children, outlook, settings);
  status["modelStatus"] = model_status(predictor, outlook);
  return status;
}

}  // namespace tidegate::serving
