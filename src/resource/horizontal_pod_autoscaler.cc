#include "resource/horizontal_pod_autoscaler.h"

#include <algorithm>

#include "resource/reader.h"

namespace tidegate::resource {
namespace {

constexpr IntegerRule kReplicas = {.min = 0, .max = kInt32Max};
constexpr std::int64_t kWindowMax = 3600;
constexpr std::int64_t kPeriodMax = 1800;

std::string_view path_segment(std::string_view text) {
  const bool right = !text.empty() && text != "." && text != ".." &&
                     text.find_first_of("/% \t\r\n") == std::string_view::npos;
  if (right) return {};
  return "use the name of a metric without slashes, percent signs or blanks";
}

ObjectReference read_reference(Reader& parent, std::string_view field) {
  ObjectReference reference;
  Reader reader(parent, field, Need::kRequired);
  reference.api_version = reader.text("apiVersion");
  reference.kind = reader.text("kind", {.need = Need::kRequired, .min = 1, .syntax = path_segment});
  reference.name = reader.text("name", {.need = Need::kRequired, .min = 1, .syntax = path_segment});
  return reference;
}

// A target of 0 would divide by it, and a negative one means nothing.
std::optional<Quantity> positive_quantity(Reader& reader, std::string_view field) {
  const auto quantity = reader.quantity(field);
  if (quantity && quantity->milli <= 0) {
    reader.wrong(field, "is " + quantity->text() + "; use more than 0");
  }
  return quantity;
}

MetricTarget read_target(Reader& source, bool resource, bool pods) {
  MetricTarget target;
  Reader reader(source, "target", Need::kRequired);
  const std::size_t errors_before = reader.findings().errors.size();
  target.type = reader.choice<MetricTarget::Type>("type",
                                                  {{"Utilization", MetricTarget::Type::kUtilization},
                                                   {"Value", MetricTarget::Type::kValue},
                                                   {"AverageValue", MetricTarget::Type::kAverageValue}},
                                                  MetricTarget::Type::kAverageValue, Need::kRequired);
  target.utilization = reader.integer("averageUtilization", {.min = 1, .max = kInt32Max});
  target.value = positive_quantity(reader, "value");
  target.average_value = positive_quantity(reader, "averageValue");
  if (!reader.present()) return target;
  if (reader.findings().errors.size() > errors_before) return target;
  if (resource) {
    if (target.value)
      reader.wrong("value", "does not fit a resource; use averageUtilization or averageValue");
    if (!target.utilization && !target.average_value) {
      reader.wrong("averageUtilization", "is missing; set it, or averageValue");
    } else if (target.utilization && target.average_value) {
      reader.wrong("averageValue", "and averageUtilization are both set; use one of them");
    }
    return target;
  }
  if (target.utilization) {
    reader.wrong("averageUtilization", "only fits Resource and ContainerResource; use averageValue");
  }
  if (pods) {
    if (target.value) reader.wrong("value", "does not fit a metric of pods; use averageValue");
    if (!target.average_value) reader.wrong("averageValue", "is missing; it is required");
    return target;
  }
  if (target.value && target.average_value) {
    reader.wrong("averageValue", "and value are both set; use one of them");
  } else if (!target.value && !target.average_value) {
    reader.wrong("value", "is missing; set it, or averageValue");
  }
  return target;
}

void read_metric(Reader& source, MetricSpec& metric) {
  Reader reader(source, "metric", Need::kRequired);
  metric.name = reader.text("name", {.need = Need::kRequired, .min = 1, .syntax = path_segment});
  if (reader.has("selector")) metric.selector = read_selector(reader, "selector");
}

struct SourceField {
  std::string_view word;
  std::string_view field;
  MetricSpec::Type type;
};
constexpr SourceField kSources[] = {
    {"Pods", "pods", MetricSpec::Type::kPods},
    {"Resource", "resource", MetricSpec::Type::kResource},
    {"ContainerResource", "containerResource", MetricSpec::Type::kContainerResource},
    {"Object", "object", MetricSpec::Type::kObject},
    {"External", "external", MetricSpec::Type::kExternal},
};

MetricSpec read_metric_spec(Reader& item) {
  MetricSpec metric;
  std::vector<std::string_view> words;
  for (const SourceField& source : kSources) words.push_back(source.word);
  const int index = item.choice_index("type", words, Need::kRequired);
  for (const SourceField& source : kSources) {
    const bool mine = index >= 0 && source.word == words[static_cast<std::size_t>(index)];
    if (!mine && item.has(source.field) && index >= 0) {
      item.wrong(source.field, "does not fit type " + std::string(words[static_cast<std::size_t>(index)]) +
                                   "; leave it out, or change the type");
    }
  }
  if (index < 0) return metric;
  const SourceField& chosen = kSources[index];
  metric.type = chosen.type;
  Reader source(item, chosen.field, Need::kRequired);
  if (!source.present()) return metric;
  const bool resource =
      metric.type == MetricSpec::Type::kResource || metric.type == MetricSpec::Type::kContainerResource;
  if (resource) {
    metric.name = source.text("name", {.need = Need::kRequired, .min = 1});
    if (metric.type == MetricSpec::Type::kContainerResource) {
      metric.container = source.text("container", {.need = Need::kRequired, .min = 1});
    }
  } else {
    read_metric(source, metric);
    if (metric.type == MetricSpec::Type::kObject) metric.object = read_reference(source, "describedObject");
  }
  metric.target = read_target(source, resource, metric.type == MetricSpec::Type::kPods);
  return metric;
}

void read_rules(Reader& behavior, std::string_view field, ScalingRules& rules) {
  Reader reader(behavior, field);
  if (!reader.present()) return;
  if (const auto window = reader.integer("stabilizationWindowSeconds", {.min = 0, .max = kWindowMax})) {
    rules.window_s = window;
  }
  rules.select = reader.choice<ScalingRules::Select>("selectPolicy",
                                                     {{"Max", ScalingRules::Select::kMax},
                                                      {"Min", ScalingRules::Select::kMin},
                                                      {"Disabled", ScalingRules::Select::kDisabled}},
                                                     rules.select);
  rules.tolerance = reader.quantity("tolerance");
  if (rules.tolerance && rules.tolerance->milli < 0) {
    reader.wrong("tolerance", "is " + rules.tolerance->text() + "; use 0 or more");
  }
  if (!reader.has("policies")) return;
  rules.policies.clear();
  reader.each("policies", {.min = 1, .max = 100}, [&](Reader& item) {
    ScalingPolicy policy;
    policy.percent = item.choice<bool>("type", {{"Pods", false}, {"Percent", true}}, false, Need::kRequired);
    policy.value = item.integer("value", {.min = 1, .max = kInt32Max, .need = Need::kRequired}).value_or(1);
    policy.period_s =
        item.integer("periodSeconds", {.min = 1, .max = kPeriodMax, .need = Need::kRequired}).value_or(15);
    rules.policies.push_back(policy);
  });
}

bool is_demand_rule(Reader& root) {
  Reader metadata(root, "metadata");
  metadata.open();
  Reader annotations(metadata, "annotations");
  annotations.open();
  return annotations.text("tidegate.dev/scaling-rule") == "demand";
}

// Scaling to zero needs a signal that exists without pods.
bool sees_from_zero(const std::vector<MetricSpec>& metrics) {
  return std::any_of(metrics.begin(), metrics.end(), [](const MetricSpec& metric) {
    return metric.type == MetricSpec::Type::kObject || metric.type == MetricSpec::Type::kExternal;
  });
}

HorizontalPodAutoscaler read_hpa(Reader& root) {
  HorizontalPodAutoscaler hpa;
  const bool v1 = root.text("apiVersion").ends_with("/v1");
  const bool demand = is_demand_rule(root);
  Reader spec(root, "spec", Need::kRequired);
  hpa.target = read_reference(spec, "scaleTargetRef");
  hpa.min_replicas = spec.integer("minReplicas", kReplicas).value_or(1);
  const auto max = spec.integer("maxReplicas", {.min = 1, .max = kInt32Max, .need = Need::kRequired});
  hpa.max_replicas = max.value_or(1);
  if (max && *max < hpa.min_replicas) {
    spec.wrong("maxReplicas", "is " + std::to_string(*max) + ", less than minReplicas " +
                                  std::to_string(hpa.min_replicas) + "; use at least that many");
  }
  if (v1) {
    // Only checked: from() reads the document in v2's form.
    spec.integer("targetCPUUtilizationPercentage", {.min = 1, .max = kInt32Max});
  } else {
    spec.each("metrics", {.max = 100}, [&](Reader& item) { hpa.metrics.push_back(read_metric_spec(item)); });
    Reader behavior(spec, "behavior");
    if (behavior.present()) {
      hpa.behavior = Behavior{default_scale_up_rules(), default_scale_down_rules()};
      read_rules(behavior, "scaleUp", hpa.behavior->up);
      read_rules(behavior, "scaleDown", hpa.behavior->down);
    }
  }
  if (!v1 && hpa.min_replicas == 0 && !demand && !sees_from_zero(hpa.metrics)) {
    spec.wrong("minReplicas",
               "is 0, and no metric could wake the workload again; add an Object or External metric, or the "
               "annotation tidegate.dev/scaling-rule: demand");
  }
  return hpa;
}

void validate(const Json& document, Findings& findings) {
  check_document(document, findings, read_hpa);
}

}  // namespace

ScalingRules default_scale_up_rules() {
  return {.window_s = 0, .policies = {{false, 4, 15}, {true, 100, 15}}, .tolerance = {}};
}

ScalingRules default_scale_down_rules() {
  return {.window_s = std::nullopt, .policies = {{true, 100, 15}}, .tolerance = {}};
}

std::string_view metric_type_name(MetricSpec::Type type) {
  for (const SourceField& source : kSources) {
    if (source.type == type) return source.word;
  }
  return "Pods";
}

Result<HorizontalPodAutoscaler> read_horizontal_pod_autoscaler(const Json& document) {
  return read_view(document, read_hpa);
}

Kind horizontal_pod_autoscaler_kind() {
  return {.group = "autoscaling",
          .kind = "HorizontalPodAutoscaler",
          .plural = "horizontalpodautoscalers",
          .singular = "horizontalpodautoscaler",
          .versions = {"v2", "v1"},
          .short_names = {"hpa"},
          .set_defaults = set_horizontal_pod_autoscaler_defaults,
          .validate = validate};
}

}  // namespace tidegate::resource
