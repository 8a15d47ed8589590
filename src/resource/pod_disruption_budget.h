// PodDisruptionBudget: how many pods of a set may be taken away on purpose at one time.
// Whoever drains a node reads status.disruptionsAllowed.
//
// Thread: immutable once read; any thread.
// Source: Kubernetes policy/v1.

#pragma once

#include <optional>
#include <string>

#include "resource/kind.h"
#include "resource/object.h"
#include "resource/reader.h"
#include "resource/selector.h"

namespace tidegate::resource {

struct PodDisruptionBudget {
  Metadata metadata;
  std::optional<IntOrText> min_available;  // at most one of the two
  std::optional<IntOrText> max_unavailable;
  std::optional<LabelSelector> selector;  // absent: no pod; empty: every pod of the namespace
  bool evict_unhealthy_always = false;    // unhealthyPodEvictionPolicy: AlwaysAllow

  // Errors: kInvalid with the field.
  static Result<PodDisruptionBudget> from(const Object& object);
};

Kind pod_disruption_budget_kind();

}  // namespace tidegate::resource
