#include "control/workload/rollout.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tidegate::workload {

RolloutLimits make_limits(const resource::Deployment& deployment) {
  if (deployment.recreate) return {deployment.replicas, 0, 0};
  RolloutLimits limits{deployment.replicas,
                       resource::resolve_share(deployment.max_surge, deployment.replicas, true),
                       resource::resolve_share(deployment.max_unavailable, deployment.replicas, false)};
  limits.max_unavailable = std::min(limits.max_unavailable, limits.replicas);
  if (limits.max_surge == 0 && limits.max_unavailable == 0) limits.max_unavailable = 1;
  return limits;
}

std::int64_t grow_newest(const RolloutLimits& limits, std::int64_t newest, std::int64_t total) {
  if (newest >= limits.replicas) return limits.replicas;
  const std::int64_t room = limits.replicas + limits.max_surge - total;
  return newest + std::clamp<std::int64_t>(room, 0, limits.replicas - newest);
}

std::vector<std::int64_t> shrink_older(const RolloutLimits& limits, SetSize newest,
                                       const std::vector<SetSize>& older) {
  std::vector<std::int64_t> result;
  std::int64_t old_total = 0;
  std::int64_t available = newest.available;
  for (const SetSize& set : older) {
    result.push_back(set.replicas);
    old_total += set.replicas;
    available += set.available;
  }
  const std::int64_t least = limits.replicas - limits.max_unavailable;
  const std::int64_t newest_missing = std::max<std::int64_t>(newest.replicas - newest.available, 0);
  std::int64_t may_go = old_total + newest.replicas - least - newest_missing;

  for (std::size_t i = 0; i < older.size() && may_go > 0; ++i) {
    const std::int64_t missing = std::max<std::int64_t>(older[i].replicas - older[i].available, 0);
    const std::int64_t gone = std::min(may_go, missing);
    result[i] -= gone;
    may_go -= gone;
  }
  std::int64_t spare = std::min(available - least, may_go);
  for (std::size_t i = 0; i < older.size() && spare > 0; ++i) {
    const std::int64_t gone = std::min(spare, result[i]);
    result[i] -= gone;
    spare -= gone;
  }
  return result;
}

std::vector<std::int64_t> scale_in_proportion(const RolloutLimits& limits, std::int64_t before,
                                              const std::vector<std::int64_t>& sets) {
  std::vector<std::int64_t> result = sets;
  const std::int64_t total = std::accumulate(sets.begin(), sets.end(), std::int64_t{0});
  const std::int64_t allowed = limits.replicas > 0 ? limits.replicas + limits.max_surge : 0;
  const std::int64_t difference = allowed - total;
  if (difference == 0 || sets.empty()) return result;

  std::vector<std::size_t> order(sets.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  // Largest first; among equals the newest grows first and the oldest shrinks first.
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return sets[a] != sets[b] ? sets[a] > sets[b] : (difference > 0 ? a < b : a > b);
  });
  std::int64_t left = difference;
  for (const std::size_t i : order) {
    const double base = static_cast<double>(before > 0 ? before : std::max<std::int64_t>(total, 1));
    const double target = static_cast<double>(sets[i]) * static_cast<double>(allowed) / base;
    std::int64_t share = std::llround(target) - sets[i];
    share =
        difference > 0 ? std::clamp<std::int64_t>(share, 0, left) : std::clamp<std::int64_t>(share, left, 0);
    result[i] = std::max<std::int64_t>(sets[i] + share, 0);
    left -= result[i] - sets[i];
  }
  result[order.front()] = std::max<std::int64_t>(result[order.front()] + left, 0);
  return result;
}

}  // namespace tidegate::workload
