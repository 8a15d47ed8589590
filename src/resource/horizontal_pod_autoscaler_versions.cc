// HorizontalPodAutoscaler's defaults and its two versions, which both need the document itself.
//
// Source: Kubernetes pkg/apis/autoscaling v1 conversion: what v1 has no field for travels in annotations.

#include <nlohmann/json.hpp>

#include "resource/fields.h"
#include "resource/horizontal_pod_autoscaler.h"

namespace tidegate::resource {
namespace {

constexpr const char* kMetrics = "autoscaling.alpha.kubernetes.io/metrics";
constexpr const char* kBehavior = "autoscaling.alpha.kubernetes.io/behavior";
constexpr const char* kConditions = "autoscaling.alpha.kubernetes.io/conditions";
constexpr const char* kCurrentMetrics = "autoscaling.alpha.kubernetes.io/current-metrics";

// A member moved to another name, or through another object, if it is there.
void move_member(Json& from, const char* name, Json& to, const char* new_name) {
  const auto found = from.find(name);
  if (found == from.end()) return;
  to[new_name] = *found;
}

bool is_cpu_percent(const Json& metric) {
  return text(metric, "type") == "Resource" && text(metric, "resource.name") == "cpu" &&
         find(metric, "resource.target.averageUtilization") != nullptr;
}

const char* source_field(const std::string& type) {
  if (type == "Pods") return "pods";
  if (type == "Resource") return "resource";
  if (type == "ContainerResource") return "containerResource";
  if (type == "Object") return "object";
  return "external";
}

// v1 flattens metric and target into the source itself.
Json metric_to_v1(Json metric) {
  const char* field = source_field(text(metric, "type"));
  if (!metric.contains(field) || !metric[field].is_object()) return metric;
  const Json source = metric[field];
  Json flat = source;
  flat.erase("metric");
  flat.erase("target");
  flat.erase("describedObject");
  if (const Json* name = find(source, "metric.name")) flat["metricName"] = *name;
  const bool external = std::string_view(field) == "external";
  const bool object = std::string_view(field) == "object";
  if (const Json* selector = find(source, "metric.selector")) {
    flat[external ? "metricSelector" : "selector"] = *selector;
  }
  if (const Json* described = find(source, "describedObject")) flat["target"] = *described;
  if (const Json* value = find(source, "target.value")) flat["targetValue"] = *value;
  if (const Json* value = find(source, "target.averageValue")) {
    flat[object ? "averageValue" : "targetAverageValue"] = *value;
  }
  if (const Json* value = find(source, "target.averageUtilization"))
    flat["targetAverageUtilization"] = *value;
  metric[field] = std::move(flat);
  return metric;
}

Json metric_to_v2(Json metric) {
  const char* field = source_field(text(metric, "type"));
  if (!metric.contains(field) || !metric[field].is_object()) return metric;
  Json flat = metric[field];
  Json source = Json::object();
  Json target = Json::object();
  move_member(flat, "name", source, "name");
  move_member(flat, "container", source, "container");
  Json identity = Json::object();
  move_member(flat, "metricName", identity, "name");
  move_member(flat, "selector", identity, "selector");
  move_member(flat, "metricSelector", identity, "selector");
  if (!identity.empty()) source["metric"] = std::move(identity);
  if (std::string_view(field) == "object") move_member(flat, "target", source, "describedObject");
  target["type"] = flat.contains("targetAverageUtilization")                              ? "Utilization"
                   : flat.contains("targetAverageValue") || flat.contains("averageValue") ? "AverageValue"
                                                                                          : "Value";
  move_member(flat, "targetAverageUtilization", target, "averageUtilization");
  if (target["type"] == "Value") move_member(flat, "targetValue", target, "value");
  move_member(flat, "targetAverageValue", target, "averageValue");
  move_member(flat, "averageValue", target, "averageValue");
  source["target"] = std::move(target);
  metric[field] = std::move(source);
  return metric;
}

Json& object_at(Json& document, const char* name) {
  Json& member = document[name];
  if (!member.is_object()) member = Json::object();
  return member;
}

// Hides a member in an annotation, and brings it back.
void hide(Json& document, Json& holder, const char* name, const char* annotation) {
  if (!holder.contains(name)) return;
  if (!holder[name].empty()) {
    object_at(object_at(document, "metadata"), "annotations")[annotation] = holder[name].dump();
  }
  holder.erase(name);
}

Json reveal(Json& document, const char* annotation) {
  const Json* annotations = find(document, "metadata.annotations");
  if (annotations == nullptr || !annotations->contains(annotation)) return {};
  Json& writable = document["metadata"]["annotations"];
  const Json value = writable[annotation];
  writable.erase(annotation);
  if (writable.empty()) document["metadata"].erase("annotations");
  if (!value.is_string()) return {};
  return Json::parse(value.get_ref<const std::string&>(), nullptr, false);
}

Json cpu_metric(const Json& percent) {
  return {{"type", "Resource"},
          {"resource",
           {{"name", "cpu"}, {"target", {{"type", "Utilization"}, {"averageUtilization", percent}}}}}};
}

void to_v1(Json& document) {
  Json& spec = object_at(document, "spec");
  Json others = Json::array();
  bool found = false;
  // A copy: setting a member may move the others.
  const Json metrics = find_array(spec, "metrics") != nullptr ? spec["metrics"] : Json::array();
  for (const Json& metric : metrics) {
    if (!found && is_cpu_percent(metric)) {
      spec["targetCPUUtilizationPercentage"] = *find(metric, "resource.target.averageUtilization");
      found = true;
    } else {
      others.push_back(metric_to_v1(metric));
    }
  }
  spec["metrics"] = std::move(others);
  hide(document, document["spec"], "metrics", kMetrics);
  hide(document, document["spec"], "behavior", kBehavior);
  if (!document.contains("status") || !document["status"].is_object()) return;
  const Json* current = find_array(document["status"], "currentMetrics");
  const Json reported = current != nullptr ? *current : Json::array();
  for (const Json& metric : reported) {
    if (const Json* percent = find(metric, "resource.current.averageUtilization");
        percent != nullptr && text(metric, "resource.name") == "cpu") {
      document["status"]["currentCPUUtilizationPercentage"] = *percent;
      break;
    }
  }
  hide(document, document["status"], "currentMetrics", kCurrentMetrics);
  hide(document, document["status"], "conditions", kConditions);
}

void to_v2(Json& document) {
  Json& spec = object_at(document, "spec");
  Json metrics = Json::array();
  const Json hidden = reveal(document, kMetrics);
  if (hidden.is_array()) {
    for (const Json& metric : hidden) {
      if (metric.is_object()) metrics.push_back(metric_to_v2(metric));
    }
  }
  if (spec.contains("targetCPUUtilizationPercentage")) {
    metrics.insert(metrics.begin(), cpu_metric(spec["targetCPUUtilizationPercentage"]));
    spec.erase("targetCPUUtilizationPercentage");
  }
  if (!metrics.empty()) spec["metrics"] = std::move(metrics);
  if (Json behavior = reveal(document, kBehavior); behavior.is_object()) {
    document["spec"]["behavior"] = std::move(behavior);
  }
  Json current = reveal(document, kCurrentMetrics);
  Json conditions = reveal(document, kConditions);
  if (current.is_array()) object_at(document, "status")["currentMetrics"] = std::move(current);
  if (conditions.is_array()) object_at(document, "status")["conditions"] = std::move(conditions);
  if (document.contains("status") && document["status"].is_object()) {
    document["status"].erase("currentCPUUtilizationPercentage");
  }
}

Json policies_json(const ScalingRules& rules) {
  Json list = Json::array();
  for (const ScalingPolicy& policy : rules.policies) {
    list.push_back({{"type", policy.percent ? "Percent" : "Pods"},
                    {"value", policy.value},
                    {"periodSeconds", policy.period_s}});
  }
  return list;
}

void fill_rules(Json& behavior, const char* name, const ScalingRules& rules) {
  if (behavior.contains(name) && behavior[name].is_null()) behavior.erase(name);
  if (!behavior.contains(name)) behavior[name] = Json::object();
  Json& filled = behavior[name];
  if (!filled.is_object()) return;
  if (rules.window_s && find(filled, "stabilizationWindowSeconds") == nullptr) {
    filled["stabilizationWindowSeconds"] = *rules.window_s;
  }
  if (find(filled, "selectPolicy") == nullptr) filled["selectPolicy"] = "Max";
  if (find(filled, "policies") == nullptr) filled["policies"] = policies_json(rules);
}

}  // namespace

void set_horizontal_pod_autoscaler_defaults(Json& document) {
  if (!document.contains("spec") || !document["spec"].is_object()) return;
  Json& spec = document["spec"];
  if (find(spec, "minReplicas") == nullptr) spec["minReplicas"] = 1;
  constexpr int kCpuPercent = 80;
  if (text(document, "apiVersion").ends_with("/v1")) return;
  const Json* metrics = find(spec, "metrics");
  if (metrics == nullptr || (metrics->is_array() && metrics->empty())) {
    spec["metrics"] = Json::array({cpu_metric(kCpuPercent)});
  }
  // One rule given fills in the rest of both; no behavior at all means the older, unwritten limits.
  if (spec.contains("behavior") && spec["behavior"].is_object()) {
    fill_rules(spec["behavior"], "scaleUp", default_scale_up_rules());
    fill_rules(spec["behavior"], "scaleDown", default_scale_down_rules());
  }
}

Json horizontal_pod_autoscaler_as(std::string_view version, Json document) {
  const bool is_v1 = text(document, "apiVersion").ends_with("/v1");
  const bool want_v1 = version == "v1";
  if (is_v1 != want_v1) {
    object_at(document, "metadata");  // before references into the document are held
    if (want_v1) {
      to_v1(document);
    } else {
      to_v2(document);
    }
    document["apiVersion"] = want_v1 ? "autoscaling/v1" : "autoscaling/v2";
  }
  return document;
}

Result<HorizontalPodAutoscaler> HorizontalPodAutoscaler::from(const Object& object) {
  if (object.api_version().ends_with("/v1")) {
    Json document = horizontal_pod_autoscaler_as("v2", object.json());
    set_horizontal_pod_autoscaler_defaults(document);
    auto converted = Object::make(std::move(document));
    if (!converted) return tl::unexpected(converted.error());
    return from(**converted);
  }
  auto hpa = read_horizontal_pod_autoscaler(object.json());
  if (hpa) hpa->metadata = object.metadata();
  return hpa;
}

}  // namespace tidegate::resource
