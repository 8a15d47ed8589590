// How fast a recommendation may become real: stabilisation windows, then policies, then min and max.
//
// Thread: pure.
// Source: Kubernetes HPA concept page ("Configurable scaling behavior"), KEP-853; reference elastic.md
// section 5.

#pragma once

#include <cstdint>
#include <string>

#include "control/autoscale/state.h"

namespace tidegate::autoscale {

struct Step {
  std::int64_t current = 0;
  std::int64_t recommended = 0;
  std::int64_t min = 1;
  std::int64_t max = 1;
};

// Remembers the recommendation, and says what the target shall become. Sets the conditions AbleToScale and
// ScalingLimited. Without a behavior, Kubernetes' older limits hold: at most twice as many, or 4.
std::int64_t normalize(const Step& step, const std::optional<resource::Behavior>& behavior,
                       const Settings& settings, WallTime now, Outcome& outcome);

// Remembers a change that was made, for the policies' periods.
void remember_change(const std::optional<resource::Behavior>& behavior, std::int64_t from, std::int64_t to,
                     WallTime now, Memory& memory);

// The most and the least that the policies of one direction allow now.
std::int64_t scale_up_limit(std::int64_t current, const Memory& memory, const resource::ScalingRules& rules,
                            WallTime now);
std::int64_t scale_down_limit(std::int64_t current, const Memory& memory, const resource::ScalingRules& rules,
                              WallTime now);

}  // namespace tidegate::autoscale
