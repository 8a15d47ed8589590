#include "control/autoscale/view.h"

#include <nlohmann/json.hpp>

#include "base/rfc3339.h"
#include "resource/fields.h"
#include "resource/workload.h"

namespace tidegate::autoscale {
namespace {

using resource::Json;

Phase phase_of(const std::string& text) {
  if (text == "Running") return Phase::kRunning;
  if (text == "Succeeded") return Phase::kSucceeded;
  if (text == "Failed") return Phase::kFailed;
  if (text == "Unknown") return Phase::kUnknown;
  return Phase::kPending;
}

// A request that is not written is its limit, as the API fills in.
PodState::Container read_container(const Json& container) {
  PodState::Container result;
  result.name = resource::text(container, "name");
  for (const char* path : {"resources.limits", "resources.requests"}) {
    const Json* amounts = resource::find(container, path);
    if (amounts == nullptr || !amounts->is_object()) continue;
    for (const auto& [name, amount] : amounts->items()) {
      const std::string text = amount.is_string() ? amount.get<std::string>() : amount.dump();
      if (const auto quantity = Quantity::parse(text)) result.requests[name] = quantity->milli;
    }
  }
  return result;
}

// Source: autoscaling/v2 MetricStatus; what a failed metric leaves has an empty type.
Json metric_status(const resource::MetricSpec& metric, const MetricStatus& status) {
  if (!status.known) return {{"type", ""}};
  Json current = Json::object();
  if (status.utilization) current["averageUtilization"] = *status.utilization;
  if (status.average_value) current["averageValue"] = Quantity{*status.average_value}.text();
  if (status.value) current["value"] = Quantity{*status.value}.text();
  Json identity = {{"name", metric.name}};
  if (metric.selector) {
    Json selector = Json::object();
    if (!metric.selector->match_labels.empty()) selector["matchLabels"] = metric.selector->match_labels;
    identity["selector"] = std::move(selector);
  }
  Json source = Json::object();
  const char* field = "pods";
  switch (metric.type) {
    case resource::MetricSpec::Type::kPods:
      source["metric"] = std::move(identity);
      break;
    case resource::MetricSpec::Type::kResource:
      field = "resource";
      source["name"] = metric.name;
      break;
    case resource::MetricSpec::Type::kContainerResource:
      field = "containerResource";
      source["name"] = metric.name;
      source["container"] = metric.container;
      break;
    case resource::MetricSpec::Type::kObject:
      field = "object";
      source["metric"] = std::move(identity);
      source["describedObject"] = {{"apiVersion", metric.object.api_version},
                                   {"kind", metric.object.kind},
                                   {"name", metric.object.name}};
      break;
    case resource::MetricSpec::Type::kExternal:
      field = "external";
      source["metric"] = std::move(identity);
      break;
  }
  source["current"] = std::move(current);
  Json result = {{"type", resource::metric_type_name(metric.type)}};
  result[field] = std::move(source);
  return result;
}

}  // namespace

const resource::Kind* scalable_kind(const resource::ObjectReference& reference) {
  const resource::Kind* kind =
      resource::find_kind(reference.api_version.empty() ? "apps/v1" : reference.api_version, reference.kind);
  if (kind == nullptr || kind->group != "apps") return nullptr;
  return kind->kind == "Deployment" || kind->kind == "ReplicaSet" ? kind : nullptr;
}

Result<TargetView> read_target(const resource::Object& object) {
  TargetView view;
  const auto take = [&](const auto& workload) {
    view.scale.replicas = workload.replicas;
    view.scale.status_replicas = workload.status.replicas;
    view.selector = {workload.selector};
    view.pod_labels = workload.pods.labels;
    view.scale.selector = resource::selector_text(workload.selector);
  };
  if (object.kind() == "ReplicaSet") {
    const auto set = resource::ReplicaSet::from(object);
    if (!set) return tl::unexpected(set.error());
    take(*set);
  } else {
    const auto deployment = resource::Deployment::from(object);
    if (!deployment) return tl::unexpected(deployment.error());
    take(*deployment);
  }
  return view;
}

TargetView read_target(const resource::Scale& scale) {
  TargetView view;
  view.scale.replicas = scale.replicas;
  view.scale.status_replicas = scale.current;
  view.scale.selector = scale.selector;
  auto selector = resource::parse_label_query(scale.selector);
  if (!selector) {
    view.scale.selector_error = describe(selector.error());
    return view;
  }
  view.selector = *std::move(selector);
  for (const resource::Requirement& each : view.selector.labels.match_expressions) {
    if (each.op == resource::Operator::kIn && each.values.size() == 1)
      view.pod_labels.emplace(each.key, each.values.front());
  }
  return view;
}

PodState read_pod_state(const resource::Object& pod) {
  const Json& json = pod.json();
  PodState state;
  state.name = pod.name();
  state.phase = phase_of(resource::text(json, "status.phase", "Pending"));
  state.terminating = !pod.metadata().deletion_timestamp.empty();
  if (const Json* ready = resource::condition(json, "Ready")) {
    state.ready = resource::text(*ready, "status") == "True";
    state.ready_changed = parse_rfc3339(resource::text(*ready, "lastTransitionTime"));
  }
  state.started = parse_rfc3339(resource::text(json, "status.startTime"));
  if (const Json* containers = resource::find_array(json, "spec.containers")) {
    for (const Json& container : *containers) state.containers.push_back(read_container(container));
  }
  return state;
}

Json with_replicas(const resource::Object& target, std::int64_t replicas) {
  Json document = target.json();
  document["spec"]["replicas"] = replicas;
  return document;
}

Json with_status(const resource::Object& hpa, const resource::HorizontalPodAutoscaler& view,
                 const Outcome& outcome, WallTime now) {
  const bool v1 = hpa.api_version().ends_with("/v1");
  Json document = v1 ? resource::horizontal_pod_autoscaler_as("v2", hpa.json()) : hpa.json();
  Json status = Json::object();
  if (document.contains("status") && document["status"].is_object()) status = document["status"];
  status["observedGeneration"] = hpa.metadata().generation;
  if (outcome.replicas) status["lastScaleTime"] = rfc3339(now);
  status["currentReplicas"] = outcome.current_replicas;
  if (!outcome.keeps_status || !status.contains("desiredReplicas")) {
    status["desiredReplicas"] = outcome.desired_replicas;
  }
  if (!outcome.keeps_status) {
    Json metrics = Json::array();
    for (std::size_t i = 0; i < outcome.metrics.size() && i < view.metrics.size(); ++i) {
      metrics.push_back(metric_status(view.metrics[i], outcome.metrics[i]));
    }
    status["currentMetrics"] = std::move(metrics);
  }
  Json conditions = status.contains("conditions") ? status["conditions"] : Json::array();
  for (const resource::Condition& condition : outcome.conditions) {
    resource::set_condition(conditions, condition, rfc3339(now));
  }
  status["conditions"] = std::move(conditions);
  document["status"] = std::move(status);
  return v1 ? resource::horizontal_pod_autoscaler_as("v1", std::move(document)) : document;
}

}  // namespace tidegate::autoscale
