#include "control/autoscale/capacity.h"

#include <algorithm>
#include <cmath>

namespace tidegate::autoscale {
namespace {

constexpr double kKvShare = 0.8;        // of the cache that requests should fill at most
constexpr double kRare = 0.001;         // share of the time that may be saturated
constexpr double kEnough_s = 60;        // seen of a number, to prove it
constexpr double kRefutes_s = 0.2;      // saturated, to refute it at the least
constexpr std::size_t kFirst = 8;       // where the search begins: engines that batch serve a few at once
constexpr double kHalfLife_s = 3600;    // of evidence about numbers of requests
constexpr double kKvHalfLife_s = 600;   // and about the size of contexts, which follows who asks
constexpr Duration kLookMost = std::chrono::seconds(5);  // that one look speaks for
constexpr Duration kForget = std::chrono::minutes(5);    // an engine that is not seen any more
constexpr Duration kFadeStep = std::chrono::minutes(1);

}  // namespace

void CapacityModel::learn(const std::string& engine, const EngineView& view, Duration target, WallTime now) {
  fade(now);
  Watched& watched = engines_.try_emplace(engine, Watched{now, {}}).first->second;
  const double lasted = seconds(std::clamp<Duration>(now - watched.at, Duration::zero(), kLookMost));
  watched.at = std::max(watched.at, now);
  if (view.waiting < 1) {
    watched.queued_since.reset();
  } else if (!watched.queued_since) {
    watched.queued_since = now;
  }
  const double requests = view.running + view.waiting;
  if (!(requests >= 1)) return;
  Evidence& evidence = by_requests_[static_cast<std::size_t>(std::min<double>(requests + 0.5, kMost))];
  evidence.seen_s += lasted;
  if (watched.queued_since && now - *watched.queued_since >= target) evidence.saturated_s += lasted;
  running_s_ += view.running * lasted;
  kv_s_ += std::clamp(view.kv_usage, 0.0, 1.0) * lasted;
}

void CapacityModel::fade(WallTime now) {
  if (!faded_) faded_ = now;
  const Duration since = now - *faded_;
  if (since < kFadeStep) return;
  faded_ = now;
  const double keep = std::exp2(-seconds(since) / kHalfLife_s);
  for (Evidence& evidence : by_requests_) {
    evidence.seen_s *= keep;
    evidence.saturated_s *= keep;
  }
  const double keep_kv = std::exp2(-seconds(since) / kKvHalfLife_s);
  running_s_ *= keep_kv;
  kv_s_ *= keep_kv;
  std::erase_if(engines_, [&](const auto& entry) { return entry.second.at + kForget < now; });
}

CapacityModel::Sums CapacityModel::sums() const {
  Sums sums{};
  for (std::size_t n = 1; n <= kMost; ++n) {
    sums[n].seen_s = sums[n - 1].seen_s + by_requests_[n].seen_s;
    sums[n].saturated_s = sums[n - 1].saturated_s + by_requests_[n].saturated_s;
  }
  return sums;
}

double CapacityModel::compute_bound() const {
  const Sums all = sums();
  // What was seen of a number and of up to a quarter fewer.
  const auto near = [&](std::size_t n) {
    const Evidence& below = all[n * 3 / 4];
    return Evidence{all[n].seen_s - below.seen_s, all[n].saturated_s - below.saturated_s};
  };
  std::size_t proven = kMost;
  for (; proven > 0; --proven) {
    const Evidence evidence = near(proven);
    if (evidence.seen_s >= kEnough_s && evidence.saturated_s <= kRare * evidence.seen_s) break;
  }
  const std::size_t next = std::max(proven + std::max<std::size_t>(proven / 4, 1), kFirst);
  for (std::size_t n = proven + 1; n <= std::min(next, kMost); ++n) {
    const Evidence evidence = near(n);
    if (evidence.saturated_s > std::max(kRare * evidence.seen_s, kRefutes_s))
      return static_cast<double>(std::max<std::size_t>(n - 1, 1));
  }
  return static_cast<double>(next);
}

// As many as leave room for twice the deviation of their number, which by chance is its root: the n of which
// n + 2 sqrt(n) fill the cache.
std::optional<double> CapacityModel::kv_bound() const {
  if (kv_s_ <= 0) return std::nullopt;
  const double fit = running_s_ / kv_s_;
  const double root = std::sqrt(1 + fit) - 1;
  return std::max(std::min(kKvShare * fit, root * root), 1.0);
}

std::optional<double> CapacityModel::capacity() const {
  if (running_s_ <= 0) return std::nullopt;
  return std::min(compute_bound(), kv_bound().value_or(kMost));
}

}  // namespace tidegate::autoscale
