#include "simulate/shapes.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/random.h"

namespace tidegate::simulate {
namespace {

// Azure 2024, conversations: read back from the published plots of both distributions, +-18 and +-11 tokens.
constexpr Quantile kPrompt[] = {{0, 10},     {.01, 84},   {.05, 190},  {.10, 279},  {.20, 438},  {.30, 545},
                                {.40, 598},  {.45, 669},  {.50, 918},  {.55, 1343}, {.60, 1698}, {.70, 2124},
                                {.80, 2657}, {.90, 3757}, {.95, 4857}, {.98, 5851}, {.99, 6366}, {1, 7500}};
constexpr Quantile kAnswer[] = {{0, 1},     {.20, 3},   {.35, 7},   {.45, 18},  {.50, 29},
                                {.60, 40},  {.70, 62},  {.75, 95},  {.80, 162}, {.85, 251},
                                {.90, 328}, {.95, 450}, {.98, 572}, {.99, 639}, {1, 1000}};

std::uint32_t length_at(std::span<const Quantile> quantiles, double share) {
  const auto right = std::upper_bound(quantiles.begin(), quantiles.end(), share,
                                      [](double s, const Quantile& q) { return s < q.share; });
  if (right == quantiles.begin()) return static_cast<std::uint32_t>(quantiles.front().tokens);
  if (right == quantiles.end()) return static_cast<std::uint32_t>(quantiles.back().tokens);
  const Quantile& a = *(right - 1);
  const Quantile& b = *right;
  const double tokens = a.tokens + (b.tokens - a.tokens) * (share - a.share) / (b.share - a.share);
  return static_cast<std::uint32_t>(std::max(std::lround(tokens), 1L));
}

}  // namespace

Lengths conversation_lengths() { return {kPrompt, kAnswer}; }

// Arrivals of a Poisson process whose rate changes: exponential gaps of unit rate, stretched by the rate.
Workload draw(std::span<const Phase> phases, const Lengths& lengths, std::uint64_t seed) {
  Random random(seed);
  Workload workload;
  double left = -std::log(1 - random.unit());
  for (const Phase& phase : phases) {
    const double begin_s = seconds(workload.length);
    double at_s = 0;
    const double end_s = seconds(phase.lasts);
    while (phase.requests_per_s > 0) {
      const double gap_s = left / phase.requests_per_s;
      if (at_s + gap_s >= end_s) break;
      at_s += gap_s;
      left = -std::log(1 - random.unit());
      workload.arrivals.push_back({.at = Duration(static_cast<std::int64_t>((begin_s + at_s) * 1e9)),
                                   .prompt = length_at(lengths.prompt, random.unit()),
                                   .answer = length_at(lengths.answer, random.unit())});
    }
    left -= (end_s - at_s) * phase.requests_per_s;
    left = std::max(left, 0.0);
    workload.length += phase.lasts;
  }
  return workload;
}

std::vector<Phase> day(double requests) {
  const auto per_minute = day_per_minute();
  const double sum = std::accumulate(per_minute.begin(), per_minute.end(), 0.0);
  const Duration lasts = std::chrono::minutes(24 * 60 / per_minute.size());
  std::vector<Phase> phases;
  for (const double each : per_minute) {
    phases.push_back({lasts, requests * each / sum / seconds(lasts)});
  }
  return phases;
}

std::vector<Phase> step(double requests_per_s, Duration quiet, Duration high) {
  return {{quiet, requests_per_s / 10}, {high, requests_per_s}, {quiet, requests_per_s / 10}};
}

}  // namespace tidegate::simulate
