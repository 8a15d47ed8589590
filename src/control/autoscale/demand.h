// The demand rule: as many replicas as the requests that are there need, counted against the capacity that is
// ready or on its way.
//
// Utilisation is bounded: a busy replica shows 100, however long its queue, so with one ready pod and target
// 50 it can ask for two and never for three. Demand is additive: five requests in flight over a capacity of
// two each need three replicas, now. And replicas that are Pending or load their weights count as supply to
// come, so that nothing is ordered twice; they are never idle supply, as all demand is divided by all of
// them.
//
//   demand   = in flight (engines' queues included) + queued + held, in requests
//   grow     when demand > 0.85 of replicas * capacity, to ceil(demand / (0.85 * capacity))
//   shrink   when the highest demand of the window fits into 0.70 of fewer replicas, to that many
//   between  nothing happens: what was bought at 0.85 is not idle before 0.70
//   wary     growth within two windows of a shrink says that the shrink was a mistake: for three windows none
//
// Chosen per object by annotation; docs/autoscaling.md lists them. min, max and behavior hold as for metrics.
//
// Thread: pure.
// Source: reference elastic.md section 7 (llm-d workload variant autoscaler, saturation v2).

#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "control/autoscale/state.h"

namespace tidegate::autoscale {

inline constexpr std::string_view kRuleAnnotation = "tidegate.dev/scaling-rule";          // "demand"
inline constexpr std::string_view kPeriodAnnotation = "tidegate.dev/scaling-period";      // "1s"
inline constexpr std::string_view kCapacityAnnotation = "tidegate.dev/replica-capacity";  // "2"
inline constexpr std::string_view kIdleAnnotation = "tidegate.dev/idle-after";            // "30s"
inline constexpr std::string_view kTtftAnnotation = "tidegate.dev/ttft-target";           // "2s"

struct DemandRule {
  std::optional<double> capacity;      // declared concurrent requests of one replica; empty: learned
  // Without any request before all replicas go, whatever the window; empty: the window. For those alone that
  // may have none.
  std::optional<Duration> idle_after;
  Duration ttft_target = std::chrono::seconds(2);  // the longest that a first token may take
  double grow_at = 0.85;
  double shrink_to = 0.70;
};

// What one object's annotations ask for. The period holds for either rule.
struct Rule {
  std::optional<DemandRule> demand;  // empty: HPA v2
  Duration period;
};

// Errors: kInvalid, naming the annotation.
Result<Rule> read_rule(const std::map<std::string, std::string>& annotations, const Settings& settings);

// "1s", "500ms", "2m", "1h"; empty if it is none of these.
std::optional<Duration> parse_duration(std::string_view text);

// What demand asks for, before min, max and behavior. `memory.demands` remembers for the shrink window.
struct DemandVerdict {
  std::int64_t replicas = 0;
  double demand = 0;
  double capacity = 0;
  std::string text;  // "demand of 5 requests at 2 per replica"
};
Result<DemandVerdict> by_demand(const DemandRule& rule, const DemandReading& reading, std::int64_t current,
                                Duration shrink_window, WallTime now, Memory& memory);

}  // namespace tidegate::autoscale
