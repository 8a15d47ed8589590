// One trace over a fixed number of engines with prefix caches, placed by one way of choosing or another: what
// does the choice do to waiting times, to cache hits and to the balance?
//
// Thread: pure; everything comes from the seed.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "simulate/fleet.h"
#include "simulate/workload.h"

namespace tidegate::simulate {

struct PickingSpec {
  EngineSpec engine;  // with prefix_caching, and blocks of Workload::content_tokens
  std::size_t endpoints = 8;
  pick::Settings settings;
  std::uint64_t seed = 1;
};

struct PickingResult {
  std::string title;
  double ttft_p50_s = 0;
  double ttft_p99_s = 0;
  double tpot_p50_s = 0;
  double hits = 0;           // tokens found in caches, of those one endless cache would have found
  double busiest_count = 0;  // requests of the endpoint that got most, over the mean
  double busiest_work = 0;   // the same for prompt tokens that had to be computed
};

PickingResult replay(const PickingSpec& spec, Router router, const Workload& workload);

// Prompt tokens that one cache without end, filled at once, would have found.
std::uint64_t endless_hits(const Workload& workload);

std::string table_of(std::span<const PickingResult> results);

}  // namespace tidegate::simulate
