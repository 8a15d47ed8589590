#include "oracle.h"

#include <algorithm>
#include <vector>

namespace tidegate::simulate {
namespace {

constexpr double kTtft_s = 2;
constexpr double kMet = .98;  // of all; the longest prompts alone take that long on some of the GPUs
constexpr double kMost = 6.5; // requests per second that no replica of these tests serves
constexpr int kHalvings = 6;

bool serves(const Scenario& scenario, std::int64_t replicas, double rate) {
  Scenario steady = scenario;
  steady.scaler = {};
  steady.scaler.min = steady.scaler.max = replicas;
  steady.owned = replicas;
  const std::vector<Phase> phase = {{std::chrono::minutes(10), rate}};
  const Outcome outcome = run(steady.world(), draw(phase, conversation_lengths(), 1));
  const auto met = std::count_if(outcome.served.begin(), outcome.served.end(), [](const Served& served) {
    return served.ttft_s >= 0 && served.ttft_s <= kTtft_s;
  });
  return static_cast<double>(met) >= kMet * static_cast<double>(outcome.served.size());
}

}  // namespace

double Oracle::rate_of(const Scenario& scenario, std::int64_t replicas) {
  const auto [known, fresh] = rates_.try_emplace({std::string(scenario.engine.profile.name), replicas}, 0);
  if (!fresh) return known->second;
  double low = 0;
  double high = kMost * static_cast<double>(replicas);
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    (serves(scenario, replicas, middle) ? low : high) = middle;
  }
  return known->second = low;
}

double Oracle::gpu_hours(const Scenario& scenario, std::span<const Phase> phases) {
  double hours = 0;
  for (const Phase& phase : phases) {
    std::int64_t replicas = scenario.scaler.min;
    while (replicas < scenario.scaler.max && rate_of(scenario, replicas) < phase.requests_per_s) ++replicas;
    hours += static_cast<double>(replicas) * seconds(phase.lasts) / 3600;
  }
  return hours;
}

}  // namespace tidegate::simulate
