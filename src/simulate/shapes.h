// Workloads that need no trace: arrivals drawn from a rate that changes over time, lengths from quantiles.
//
// Thread: pure; everything comes from the seed.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "simulate/workload.h"

namespace tidegate::simulate {

struct Quantile {
  double share;  // rising, from 0 to 1
  double tokens;
};

// Straight lines between the points.
struct Lengths {
  std::span<const Quantile> prompt;
  std::span<const Quantile> answer;
};
Lengths conversation_lengths();  // Azure 2024, conversations

// A rate that holds until the next phase begins.
struct Phase {
  Duration lasts;
  double requests_per_s;
};
Workload draw(std::span<const Phase> phases, const Lengths& lengths, std::uint64_t seed);

// Of one day, in steps of ten minutes (day_table.cc).
std::span<const double> day_per_minute();

// A day of the Azure 2024 conversation trace in its shape, with about that many requests.
std::vector<Phase> day(double requests);
// Quiet, a step up, and quiet again: a tenth of the rate, the rate, a tenth.
std::vector<Phase> step(double requests_per_s, Duration quiet, Duration high);

}  // namespace tidegate::simulate
