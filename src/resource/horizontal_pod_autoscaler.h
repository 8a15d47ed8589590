// HorizontalPodAutoscaler: how many replicas a workload shall have, by metrics.
//
// autoscaling/v2 is what everything here works with. An object written in autoscaling/v1 keeps its form in
// the store; from() reads targetCPUUtilizationPercentage as the one Resource metric it stands for, and
// horizontal_pod_autoscaler_as() gives either version in the other's form.
//
// Thread: immutable once read; any thread.
// Source: Kubernetes autoscaling/v2 and v1; the HPA concept page.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/quantity.h"
#include "resource/condition.h"
#include "resource/kind.h"
#include "resource/object.h"
#include "resource/selector.h"

namespace tidegate::resource {

struct ObjectReference {
  std::string api_version;
  std::string kind;
  std::string name;
};

struct MetricTarget {
  enum class Type { kUtilization, kValue, kAverageValue };
  Type type = Type::kAverageValue;
  // Those that are set; `type` is what the user wrote, and older tools (arena) write Utilization beside an
  // averageValue.
  std::optional<std::int64_t> utilization;  // percent of what the pods request
  std::optional<Quantity> value;
  std::optional<Quantity> average_value;
};

struct MetricSpec {
  enum class Type { kPods, kResource, kContainerResource, kObject, kExternal };
  Type type = Type::kPods;
  std::string name;                       // of the metric, or of the resource: "cpu"
  std::optional<LabelSelector> selector;  // kPods, kObject, kExternal
  std::string container;                  // kContainerResource
  ObjectReference object;                 // kObject
  MetricTarget target;
};

struct ScalingPolicy {
  bool percent = false;  // else pods
  std::int64_t value = 0;
  std::int64_t period_s = 0;
};

struct ScalingRules {
  enum class Select { kMax, kMin, kDisabled };
  std::optional<std::int64_t> window_s;  // stabilizationWindowSeconds
  Select select = Select::kMax;
  std::vector<ScalingPolicy> policies;
  std::optional<Quantity> tolerance;  // empty: the controller's
};

// With the API's defaults filled in.
ScalingRules default_scale_up_rules();
ScalingRules default_scale_down_rules();

struct Behavior {
  ScalingRules up;
  ScalingRules down;
};

struct HorizontalPodAutoscaler {
  Metadata metadata;
  ObjectReference target;
  std::int64_t min_replicas = 1;
  std::int64_t max_replicas = 1;
  std::vector<MetricSpec> metrics;
  std::optional<Behavior> behavior;

  // Errors: kInvalid with the field.
  static Result<HorizontalPodAutoscaler> from(const Object& object);
};

// The word for it in the API: "Pods", "ContainerResource".
std::string_view metric_type_name(MetricSpec::Type type);

// The document in the form of `version` ("v1" or "v2"). What v1 has no field for goes into its
// autoscaling.alpha.kubernetes.io/ annotations and comes back from there.
Json horizontal_pod_autoscaler_as(std::string_view version, Json document);

// Parts of the kind, in files of their own: what the API fills in, and reading a document of v2.
void set_horizontal_pod_autoscaler_defaults(Json& document);
Result<HorizontalPodAutoscaler> read_horizontal_pod_autoscaler(const Json& document);

Kind horizontal_pod_autoscaler_kind();

}  // namespace tidegate::resource
