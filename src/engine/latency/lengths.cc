#include "engine/latency/lengths.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace tidegate::latency {
namespace {

double normal(Random& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.unit()));
  return radius * std::cos(2 * std::numbers::pi * random.unit());
}

}  // namespace

std::size_t answer_length(std::size_t max_tokens, bool limited, Random& random) {
  if (max_tokens <= 1) return 1;
  if (!limited) {
    const double drawn = std::round(40 + 20 * normal(random));
    return std::clamp<std::size_t>(drawn < 1 ? 1 : static_cast<std::size_t>(drawn), 1, max_tokens);
  }
  constexpr std::array<double, 6> kShares = {.20, .30, .20, .05, .10, .15};
  constexpr std::size_t kWide = 20;
  const double point = random.unit();
  std::size_t bucket = 0;
  for (double sum = kShares[0]; bucket + 1 < kShares.size() && point >= sum; sum += kShares[bucket]) ++bucket;
  std::array<std::size_t, 7> ends{};
  for (std::size_t i = 1; i <= kShares.size(); ++i) {
    if (max_tokens <= kWide * kShares.size()) {
      ends[i] = max_tokens * i / kShares.size();
    } else {
      ends[i] = i <= 3 ? kWide * i : max_tokens - kWide * (kShares.size() - i);
    }
  }
  if (ends[bucket + 1] <= ends[bucket]) return std::max<std::size_t>(ends[bucket + 1], 1);
  return ends[bucket] + 1 + random.below(ends[bucket + 1] - ends[bucket]);
}

}  // namespace tidegate::latency
