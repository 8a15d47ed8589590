#include "resource/pod_disruption_budget.h"

#include "resource/workload.h"

namespace tidegate::resource {
namespace {

constexpr IntegerRule kCount = {.min = 0, .max = kInt32Max};

PodDisruptionBudget read(Reader& root) {
  PodDisruptionBudget budget;
  Reader spec(root, "spec");
  budget.min_available = spec.int_or_text("minAvailable", kCount, percentage);
  budget.max_unavailable = spec.int_or_text("maxUnavailable", kCount, percentage);
  if (spec.has("selector")) budget.selector = read_selector(spec, "selector");
  budget.evict_unhealthy_always = spec.choice<bool>(
      "unhealthyPodEvictionPolicy", {{"IfHealthyBudget", false}, {"AlwaysAllow", true}}, false);
  if (budget.min_available && budget.max_unavailable) {
    spec.wrong("minAvailable", "is set beside maxUnavailable; keep one of them");
  }
  return budget;
}

void validate(const Json& document, Findings& findings) { check_document(document, findings, read); }

}  // namespace

Result<PodDisruptionBudget> PodDisruptionBudget::from(const Object& object) {
  auto budget = read_view(object.json(), read);
  if (budget) budget->metadata = object.metadata();
  return budget;
}

Kind pod_disruption_budget_kind() {
  return {.group = "policy",
          .kind = "PodDisruptionBudget",
          .plural = "poddisruptionbudgets",
          .singular = "poddisruptionbudget",
          .versions = {"v1"},
          .short_names = {"pdb"},
          .validate = validate};
}

}  // namespace tidegate::resource
