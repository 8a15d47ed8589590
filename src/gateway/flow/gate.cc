#include "gateway/flow/gate.h"

#include <algorithm>
#include <cmath>

namespace tidegate::flow {
namespace {

// What is not used is forgotten, a hundredth per scrape: the next burst is met with care again.
constexpr std::uint32_t kForgetShare = 100;

// A count that a page may say anything for.
std::uint32_t whole(float number) {
  constexpr float kMost = 1e6F;
  return number > 0 ? static_cast<std::uint32_t>(std::lround(std::min(number, kMost))) : 0;
}

}  // namespace

void Gate::observe(float waiting, float kv_usage, std::uint32_t in_flight, const GateLimits& limits) {
  const std::uint32_t queued = whole(waiting);
  const std::uint32_t full = std::max<std::uint32_t>(whole(limits.waiting), 1);
  const std::uint32_t before = window();
  std::uint32_t next;
  if (queued >= full) {
    const std::uint32_t excess = queued - full;
    next = std::min(before, in_flight > excess ? in_flight - excess : 1);
  } else if (kv_usage >= limits.kv) {
    next = std::min(before, in_flight);
  } else {
    const std::uint32_t more = std::max(full - queued, queued == 0 ? in_flight : 0);
    const std::uint32_t kept = before == kOpen ? limits.first : before - before / kForgetShare;
    next = std::max({kept, in_flight + more, limits.first});
  }
  window_.store(std::max<std::uint32_t>(next, 1), std::memory_order_relaxed);
}

}  // namespace tidegate::flow
