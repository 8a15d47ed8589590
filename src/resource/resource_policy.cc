#include "resource/resource_policy.h"

#include "resource/defaults.h"
#include "resource/reader.h"

namespace tidegate::resource {
namespace {

constexpr std::size_t kUnitsMax = 64;

UnitResource read_resource(Reader& unit) {
  return unit.choice<UnitResource>("resource",
                                   {{"ecs", UnitResource::kEcs},
                                    {"eci", UnitResource::kEci},
                                    {"elastic", UnitResource::kElastic},
                                    {"acs", UnitResource::kAcs}},
                                   UnitResource::kEcs);
}

PolicyUnit read_unit(Reader& item) {
  PolicyUnit unit;
  unit.resource = read_resource(item);
  unit.node_selector = item.text_map("nodeSelector", Need::kOptional, label_key, label_value);
  unit.max = item.integer("max", {.min = 0, .max = kInt32Max});
  unit.max_resources = item.quantities("maxResources");
  unit.pod_labels = item.text_map("podLabels", Need::kOptional, label_key, label_value);
  unit.pod_annotations = item.text_map("podAnnotations", Need::kOptional, label_key);
  item.ignore({"spotInstance", "scaleInWeight"});
  const auto wait = unit.pod_labels.find(std::string(kWaitForScalingLabel));
  unit.waits_for_scaling = unit.resource == UnitResource::kElastic;
  if (wait != unit.pod_labels.end()) {
    unit.waits_for_scaling = unit.waits_for_scaling || wait->second == "true";
    unit.pod_labels.erase(wait);
  }
  return unit;
}

// The types spell it with a small t, the documentation with a capital one.
NextUnit read_next_unit(Reader& next) {
  return next.choice<NextUnit>("policy",
                               {{"LackResourceOrExceedMax", NextUnit::kLackResourceOrExceedMax},
                                {"ExceedMax", NextUnit::kExceedMax},
                                {"LackResourceAndNoTerminating", NextUnit::kLackResourceAndNoTerminating},
                                {"LackResourceAndNoterminating", NextUnit::kLackResourceAndNoTerminating},
                                {"TimeoutOrExceedMax", NextUnit::kTimeoutOrExceedMax},
                                {"Timeout", NextUnit::kTimeout}},
                               NextUnit::kLackResourceOrExceedMax);
}

ResourcePolicy read(Reader& root) {
  ResourcePolicy policy;
  Reader spec(root, "spec", Need::kRequired);
  policy.selector.match_labels = spec.text_map("selector", Need::kOptional, label_key, label_value);
  policy.selector.match_expressions = read_requirements(spec, "matchExpressions");
  policy.required = spec.choice<bool>("strategy", {{"prefer", false}, {"required", true}}, false);
  spec.each("units", {.min = 1, .max = kUnitsMax, .need = Need::kRequired},
            [&](Reader& item) { policy.units.push_back(read_unit(item)); });
  policy.preempt_before_next_unit =
      spec.choice<bool>("preemptPolicy", {{"AfterAllUnits", false}, {"BeforeNextUnit", true}}, false);
  policy.ignore_previous_pod = spec.boolean("ignorePreviousPod").value_or(false);
  policy.ignore_terminating_pod = spec.boolean("ignoreTerminatingPod").value_or(true);
  policy.match_label_keys = spec.texts("matchLabelKeys", {.max = 64}, {.syntax = label_key});
  Reader next(spec, "whenTryNextUnits");
  policy.next_unit = read_next_unit(next);
  const std::string timeout = next.text("timeout", {.syntax = gateway_duration});
  if (const auto ms = duration_ms(timeout)) {
    policy.timeout = std::chrono::milliseconds(*ms);
    if (*ms <= 0) next.wrong("timeout", "is 0; use at least 1ms, or policy LackResourceOrExceedMax");
  }
  spec.ignore({"consumerRef"});
  return policy;
}

void set_defaults(Json& document) {
  Defaults spec = Defaults(document).at("spec");
  spec.set("strategy", "prefer");
  spec.set("preemptPolicy", "AfterAllUnits");
  spec.set("ignorePreviousPod", false);
  spec.set("ignoreTerminatingPod", true);
  spec.make("whenTryNextUnits").set("policy", "LackResourceOrExceedMax");
}

void validate(const Json& document, Findings& findings) { check_document(document, findings, read); }

}  // namespace

Result<ResourcePolicy> ResourcePolicy::from(const Object& object) { return read_view(object.json(), read); }

Kind resource_policy_kind() {
  return {.group = "scheduling.alibabacloud.com",
          .kind = "ResourcePolicy",
          .plural = "resourcepolicies",
          .singular = "resourcepolicy",
          .versions = {"v1alpha1"},
          .short_names = {"rp"},
          .set_defaults = set_defaults,
          .validate = validate};
}

}  // namespace tidegate::resource
