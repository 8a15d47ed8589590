#include "control/serving/children.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cluster/apply.h"
#include "control/serving/llm.h"
#include "resource/fields.h"

namespace tidegate::serving {
namespace {

using resource::InferenceService;
using resource::Json;
using resource::Object;

Json child(const Object& owner, const char* api_version, const char* kind, const std::string& name) {
  Json document = Json::object();
  document["apiVersion"] = api_version;
  document["kind"] = kind;
  document["metadata"] = {{"name", name},
                          {"namespace", owner.namespace_()},
                          {"labels", {{"serving.kserve.io/inferenceservice", owner.name()}}},
                          {"annotations", Json::object()},
                          {"ownerReferences", Json::array({{{"apiVersion", owner.api_version()},
                                                            {"kind", owner.kind()},
                                                            {"name", owner.name()},
                                                            {"uid", owner.metadata().uid},
                                                            {"controller", true},
                                                            {"blockOwnerDeletion", true}}})}};
  return document;
}

Json sealed(Json document) {
  document["metadata"]["annotations"][kSpecAnnotation] = cluster::digest(document);
  return document;
}

Json rule(const std::string& host, const std::string& service) {
  const Json target = {{"service", {{"name", service}, {"port", {{"number", 80}}}}}};
  Json path = {{"path", "/"}, {"pathType", "Prefix"}, {"backend", target}};
  return {{"host", host}, {"http", {{"paths", Json::array({std::move(path)})}}}};
}

// Of what is asked for, everything that `present` lacks or has otherwise is put there; lists are replaced
// unless each item covers the wanted one.
void put_into(Json& present, const Json& wanted) {
  if (present.is_object() && wanted.is_object()) {
    for (const auto& [name, value] : wanted.items()) {
      if (present.contains(name)) {
        put_into(present[name], value);
      } else {
        present[name] = value;
      }
    }
    return;
  }
  if (present.is_array() && wanted.is_array() && present.size() == wanted.size()) {
    for (std::size_t i = 0; i < wanted.size(); ++i) put_into(present[i], wanted[i]);
    return;
  }
  if (present != wanted) present = wanted;
}

std::string digest_of(const Json& document) {
  const auto annotations = resource::text_map(document, "metadata.annotations");
  const auto found = annotations.find(kSpecAnnotation);
  return found == annotations.end() ? std::string() : found->second;
}

}  // namespace

std::string stable_name(const Object& owner) {
  return owner.name() + (is_llm(owner) ? "-kserve" : "-predictor");
}
std::string canary_name(const Object& owner) { return stable_name(owner) + "-canary"; }

std::string app_of(const Track& track) { return "isvc." + track.name; }

Json deployment(const Object& owner, const InferenceService& service, const Track& track) {
  Json document = child(owner, "apps/v1", "Deployment", track.name);
  document["metadata"]["annotations"][kRevisionAnnotation] = track.pods->revision;
  Json pods = *track.pods->json;
  pods["metadata"]["labels"]["app"] = app_of(track);
  Json& spec = document["spec"];
  spec["replicas"] = std::max(service.predictor.min_replicas, 1);
  if (service.autoscaler == resource::AutoscalerClass::kNone)
    spec["replicas"] = service.predictor.min_replicas;
  spec["selector"]["matchLabels"]["app"] = app_of(track);
  if (const Json* strategy = resource::find(owner.json(), "spec.predictor.deploymentStrategy")) {
    spec["strategy"] = *strategy;
  }
  spec["template"] = std::move(pods);
  return sealed(std::move(document));
}

Json service(const Object& owner, const Track& track) {
  Json document = child(owner, "v1", "Service", track.name);
  Json port = {{"name", "http"}, {"port", 80}, {"targetPort", track.pods->port}, {"protocol", "TCP"}};
  document["spec"] = {{"selector", {{"app", app_of(track)}}}, {"ports", Json::array({std::move(port)})}};
  return sealed(std::move(document));
}

Json autoscaler(const Object& owner, const InferenceService& service, const Track& track) {
  const resource::Predictor& predictor = service.predictor;
  Json document = child(owner, "autoscaling/v2", "HorizontalPodAutoscaler", track.name);
  const std::string metric = predictor.scale_metric.empty() ? "cpu" : predictor.scale_metric;
  Json entry;
  if (metric == "cpu" || metric == "memory") {
    Json target = {{"type", "Utilization"}, {"averageUtilization", predictor.scale_target.value_or(80)}};
    entry = {{"type", "Resource"}, {"resource", {{"name", metric}, {"target", std::move(target)}}}};
  } else {
    // What a pod works on now, or finished per second, as our engine and vLLM count it.
    const char* name =
        metric == "concurrency" ? "vllm:num_requests_running" : "vllm:request_success_total_per_second";
    Json target = {{"type", "AverageValue"},
                   {"averageValue", std::to_string(predictor.scale_target.value_or(1))}};
    entry = {{"type", "Pods"}, {"pods", {{"metric", {{"name", name}}}, {"target", std::move(target)}}}};
  }
  // From zero only demand can wake it: the gateway holds requests meanwhile and says how many.
  const int min = predictor.min_replicas;
  Json& annotations = document["metadata"]["annotations"];
  if (min == 0) annotations["tidegate.dev/scaling-rule"] = "demand";
  for (const char* name : {"tidegate.dev/scaling-rule", "tidegate.dev/scaling-period",
                           "tidegate.dev/replica-capacity", "tidegate.dev/idle-after"}) {
    const auto own = owner.metadata().annotations.find(name);
    if (own != owner.metadata().annotations.end()) annotations[name] = own->second;
  }
  document["spec"] = {
      {"scaleTargetRef", {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", track.name}}},
      {"minReplicas", min},
      {"maxReplicas", std::max({predictor.max_replicas, min, 1})},
      {"metrics", Json::array({std::move(entry)})}};
  // KServe's own autoscaler of language models goes by demand too.
  if (is_llm(owner)) document["metadata"]["annotations"]["tidegate.dev/scaling-rule"] = "demand";
  if (const Json* behavior = resource::find(owner.json(), "spec.predictor.autoScaling.behavior")) {
    document["spec"]["behavior"] = *behavior;
  }
  return sealed(std::move(document));
}

Json ingress(const Object& owner, const Track& track, const Settings& settings) {
  Json document = child(owner, "networking.k8s.io/v1", "Ingress", owner.name());
  const std::string own = host_of(settings, owner.name(), owner.namespace_());
  const std::string predictor = host_of(settings, stable_name(owner), owner.namespace_());
  document["spec"] = {{"ingressClassName", settings.ingress_class},
                      {"rules", Json::array({rule(own, track.name), rule(predictor, track.name)})}};
  return sealed(std::move(document));
}

Json canary_ingress(const Object& owner, const Track& track, int percent, const Settings& settings) {
  Json document = child(owner, "networking.k8s.io/v1", "Ingress", owner.name() + "-canary");
  Json& annotations = document["metadata"]["annotations"];
  annotations["nginx.ingress.kubernetes.io/canary"] = "true";
  annotations["nginx.ingress.kubernetes.io/canary-weight"] = std::to_string(percent);
  const std::string own = host_of(settings, owner.name(), owner.namespace_());
  document["spec"] = {{"ingressClassName", settings.ingress_class},
                      {"rules", Json::array({rule(own, track.name)})}};
  return sealed(std::move(document));
}

Json brought_to(const Json& present, const Json& wanted, bool keep_replicas) {
  Json result = present;
  Json asked = wanted;
  if (keep_replicas) asked["spec"].erase("replicas");
  // A member that is no longer asked for can only be told by the digest; then what is there is replaced
  // whole.
  if (digest_of(present) != digest_of(wanted)) {
    const Json* replicas = resource::find(present, "spec.replicas");
    if (keep_replicas && replicas != nullptr) asked["spec"]["replicas"] = *replicas;
    result["spec"] = asked["spec"];
  }
  put_into(result, asked);
  return result;
}

}  // namespace tidegate::serving
