// How many replicas one metric asks for: the arithmetic of HPA v2, one function per way to measure.
//
// Thread: pure.
// Source: Kubernetes HPA concept page ("Algorithm details") and pkg/controller/podautoscaler; reference
// elastic.md section 5. Integer divisions are Kubernetes' own and matter at the edges.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/autoscale/state.h"

namespace tidegate::autoscale {

// How far a ratio may be from 1 without anything happening, by direction.
struct Tolerance {
  double up = 0.1;
  double down = 0.1;
  bool holds(double ratio) const { return 1.0 - down <= ratio && ratio <= 1.0 + up; }
};

struct Proposal {
  std::int64_t replicas = 0;
  MetricStatus status;
};

struct Measured {
  const std::vector<PodState>& pods;
  const Reading& reading;
  std::int64_t current = 0;  // spec.replicas of the target
  std::int64_t status_replicas = 0;
  Tolerance tolerance;
};

// Pods metrics, and resources by averageValue. `resource` is "cpu" where the Ready test of that resource
// applies, else empty or another resource.
Result<Proposal> by_average_value(const Measured& measured, std::int64_t target, std::string_view resource,
                                  const Settings& settings, WallTime now);

// Resources by percent of what the pods (or one container of them) request.
Result<Proposal> by_utilization(const Measured& measured, std::int64_t target_percent,
                                std::string_view resource, std::string_view container,
                                const Settings& settings, WallTime now);

// Object and External by value: the sum against the target, times the ready pods.
Result<Proposal> by_value(const Measured& measured, std::int64_t target);

// Object and External by averageValue: the sum over the target, whatever the pods do.
Result<Proposal> by_value_per_replica(const Measured& measured, std::int64_t target);

}  // namespace tidegate::autoscale
