// Outcomes as a table for people.
//
// Thread: pure.

#pragma once

#include <span>
#include <string>
#include <vector>

#include "simulate/world.h"

namespace tidegate::simulate {

struct Targets {
  double ttft_s = 2;
  double tpot_s = 0.1;
};

// What one run came to.
struct Summary {
  std::string title;
  std::size_t requests = 0;
  double gpu_hours = 0;
  double cloud_hours = 0;
  double cloud_cost = 0;
  double ttft_p50_s = 0;
  double ttft_p99_s = 0;
  double tpot_p50_s = 0;
  double tpot_p99_s = 0;
  double ttft_met = 0;  // shares of all requests
  double tpot_met = 0;
  double both_met = 0;
  std::int64_t replicas_most = 0;
  std::size_t changes = 0;  // of the number of replicas
  std::uint64_t unanswered = 0;
};

Summary summarize(std::string title, const Outcome& outcome, const Targets& targets);
std::string table_of(std::span<const Summary> summaries, const Targets& targets);

// One line per thing that happened: "00:03:15  replicas 1 -> 3".
std::string timeline_of(const Outcome& outcome, Duration lead);

// The value below which that share of `values` lies. Reorders them; 0 if there are none.
double percentile(std::vector<float>& values, double share);

// Columns of text, each as wide as its widest cell; the first is aligned left, the rest right.
std::string aligned(const std::vector<std::vector<std::string>>& rows);
std::string fixed(double value, int digits);

}  // namespace tidegate::simulate
