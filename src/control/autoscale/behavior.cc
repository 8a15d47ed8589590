#include "control/autoscale/behavior.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tidegate::autoscale {
namespace {

using resource::ScalingPolicy;
using resource::ScalingRules;

struct Verdict {
  std::int64_t replicas;
  const char* reason;
  const char* message;
};

constexpr const char* kFaster = "the desired replica count is increasing faster than the maximum scale rate";
constexpr const char* kSlower = "the desired replica count is decreasing faster than the maximum scale rate";
constexpr const char* kTooMany = "the desired replica count is more than the maximum replica count";
constexpr const char* kTooFew = "the desired replica count is less than the minimum replica count";
constexpr const char* kHighest =
    "recent recommendations were higher than current one, applying the highest recent recommendation";
constexpr const char* kLowest =
    "recent recommendations were lower than current one, applying the lowest recent recommendation";

Verdict within(std::int64_t replicas) {
  return {replicas, "DesiredWithinRange", "the desired count is within the acceptable range"};
}

void remember(Memory& memory, std::int64_t replicas, Duration window, WallTime now) {
  std::erase_if(memory.recommendations,
                [&](const Memory::Recommendation& old) { return old.time < now - window; });
  memory.recommendations.push_back({replicas, now});
}

// Changes that a policy's period still sees.
std::int64_t changed_within(const std::vector<Memory::Change>& changes, std::int64_t period_s, WallTime now) {
  std::int64_t by = 0;
  for (const Memory::Change& change : changes) {
    if (change.time > now - std::chrono::seconds(period_s)) by += change.by;
  }
  return by;
}

std::int64_t at_period_start(std::int64_t current, const Memory& memory, const ScalingPolicy& policy,
                             WallTime now) {
  return current - changed_within(memory.ups, policy.period_s, now) +
         changed_within(memory.downs, policy.period_s, now);
}

Duration longest_period(const ScalingRules& rules) {
  std::int64_t longest = 0;
  for (const ScalingPolicy& policy : rules.policies) longest = std::max(longest, policy.period_s);
  return std::chrono::seconds(longest);
}

// The oldest rule: the highest recommendation of the window, at most twice as many pods or 4.
std::int64_t normalize_plain(const Step& step, const Settings& settings, WallTime now, Outcome& outcome) {
  const Duration window = settings.downscale_stabilization;
  std::int64_t highest = step.recommended;
  for (const Memory::Recommendation& past : outcome.memory.recommendations) {
    if (past.time >= now - window) highest = std::max(highest, past.replicas);
  }
  remember(outcome.memory, step.recommended, window, now);
  if (highest != step.recommended) {
    outcome.set("AbleToScale", true, "ScaleDownStabilized", kHighest);
  } else {
    outcome.set("AbleToScale", true, "ReadyForNewScale", "recommended size matches current size");
  }
  const std::int64_t rate = std::max<std::int64_t>(2 * step.current, 4);
  const Verdict verdict = highest < step.min                    ? Verdict{step.min, "TooFewReplicas", kTooFew}
                          : highest <= std::min(step.max, rate) ? within(highest)
                          : step.max > rate                     ? Verdict{rate, "ScaleUpLimit", kFaster}
                                            : Verdict{step.max, "TooManyReplicas", kTooMany};
  outcome.set("ScalingLimited", verdict.replicas != highest, verdict.reason, verdict.message);
  return verdict.replicas;
}

std::int64_t stabilize(const Step& step, const ScalingRules& up, const ScalingRules& down,
                       const Settings& settings, WallTime now, Outcome& outcome) {
  const Duration up_window = std::chrono::seconds(up.window_s.value_or(0));
  const Duration down_window =
      down.window_s ? Duration(std::chrono::seconds(*down.window_s)) : settings.downscale_stabilization;
  std::int64_t lowest = step.recommended;
  std::int64_t highest = step.recommended;
  for (const Memory::Recommendation& past : outcome.memory.recommendations) {
    if (past.time > now - up_window) lowest = std::min(lowest, past.replicas);
    if (past.time > now - down_window) highest = std::max(highest, past.replicas);
  }
  // As near to what there is as both windows allow.
  const std::int64_t stable = std::min(std::max(step.current, lowest), highest);
  remember(outcome.memory, step.recommended, std::max(up_window, down_window), now);
  if (stable == step.recommended) {
    outcome.set("AbleToScale", true, "ReadyForNewScale", "recommended size matches current size");
  } else if (step.recommended >= step.current) {
    outcome.set("AbleToScale", true, "ScaleUpStabilized", kLowest);
  } else {
    outcome.set("AbleToScale", true, "ScaleDownStabilized", kHighest);
  }
  return stable;
}

Verdict limit_rate(const Step& step, std::int64_t stable, const resource::Behavior& behavior,
                   const Memory& memory, WallTime now) {
  if (stable > step.current) {
    const std::int64_t rate = std::max(scale_up_limit(step.current, memory, behavior.up, now), step.current);
    const bool by_rate = step.max > rate;
    const std::int64_t most = std::min(step.max, rate);
    if (stable > most)
      return {most, by_rate ? "ScaleUpLimit" : "TooManyReplicas", by_rate ? kFaster : kTooMany};
  } else if (stable < step.current) {
    const std::int64_t rate =
        std::min(scale_down_limit(step.current, memory, behavior.down, now), step.current);
    const bool by_rate = step.min < rate;
    const std::int64_t least = std::max(step.min, rate);
    if (stable < least)
      return {least, by_rate ? "ScaleDownLimit" : "TooFewReplicas", by_rate ? kSlower : kTooFew};
  }
  return within(stable);
}

}  // namespace

std::int64_t scale_up_limit(std::int64_t current, const Memory& memory, const ScalingRules& rules,
                            WallTime now) {
  if (rules.select == ScalingRules::Select::kDisabled) return current;
  std::optional<std::int64_t> limit;
  for (const ScalingPolicy& policy : rules.policies) {
    const std::int64_t start = at_period_start(current, memory, policy, now);
    const std::int64_t allowed =
        policy.percent ? static_cast<std::int64_t>(std::ceil(static_cast<double>(start) *
                                                             (1 + static_cast<double>(policy.value) / 100)))
                       : start + policy.value;
    if (!limit) {
      limit = allowed;
    } else {
      limit =
          rules.select == ScalingRules::Select::kMin ? std::min(*limit, allowed) : std::max(*limit, allowed);
    }
  }
  return limit.value_or(std::numeric_limits<std::int32_t>::max());
}

std::int64_t scale_down_limit(std::int64_t current, const Memory& memory, const ScalingRules& rules,
                              WallTime now) {
  if (rules.select == ScalingRules::Select::kDisabled) return current;
  std::optional<std::int64_t> limit;
  for (const ScalingPolicy& policy : rules.policies) {
    const std::int64_t start = at_period_start(current, memory, policy, now);
    const std::int64_t allowed =
        policy.percent ? static_cast<std::int64_t>(static_cast<double>(start) *
                                                   (1 - static_cast<double>(policy.value) / 100))
                       : start - policy.value;
    if (!limit) {
      limit = allowed;
    } else {
      limit =
          rules.select == ScalingRules::Select::kMin ? std::max(*limit, allowed) : std::min(*limit, allowed);
    }
  }
  return limit.value_or(0);
}

std::int64_t normalize(const Step& step, const std::optional<resource::Behavior>& behavior,
                       const Settings& settings, WallTime now, Outcome& outcome) {
  if (!behavior) return normalize_plain(step, settings, now, outcome);
  const std::int64_t stable = stabilize(step, behavior->up, behavior->down, settings, now, outcome);
  const Verdict verdict = limit_rate(step, stable, *behavior, outcome.memory, now);
  outcome.set("ScalingLimited", verdict.replicas != stable, verdict.reason, verdict.message);
  return verdict.replicas;
}

void remember_change(const std::optional<resource::Behavior>& behavior, std::int64_t from, std::int64_t to,
                     WallTime now, Memory& memory) {
  if (!behavior || from == to) return;
  const Duration longest = std::max(longest_period(behavior->up), longest_period(behavior->down));
  for (std::vector<Memory::Change>* changes : {&memory.ups, &memory.downs}) {
    std::erase_if(*changes, [&](const Memory::Change& old) { return old.time < now - longest; });
  }
  if (to > from) {
    memory.ups.push_back({to - from, now});
  } else {
    memory.downs.push_back({from - to, now});
  }
}

}  // namespace tidegate::autoscale
