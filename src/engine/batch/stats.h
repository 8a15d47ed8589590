// What the stepper counts, in vLLM's terms. The HTTP surface copies it after each step and renders it.
//
// Thread: a value; the stepper's own copy belongs to the engine thread.
// Source: reference model-server.md section 2 (names, buckets, intervals).

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/clock.h"
#include "engine/batch/request.h"

namespace tidegate::batch {

// A cumulative histogram's counts; bucket i counts values at most bounds[i], the last one everything else.
class Histogram {
 public:
  Histogram() = default;
  explicit Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

  void observe(double value);

  const std::vector<double>& bounds() const { return bounds_; }
  const std::vector<std::uint64_t>& counts() const { return counts_; }  // not cumulative
  std::uint64_t count() const { return count_; }
  double sum() const { return sum_; }

 private:
  std::vector<double> bounds_;
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  double sum_ = 0;
};

// One adapter that is not retired.
struct AdapterLoad {
  lora::AdapterId adapter;
  lora::Place place;
  std::size_t running;  // sequences
  std::size_t waiting;
};

struct Stats {
  explicit Stats(std::size_t context_max);

  // Gauges, as of the last step.
  std::size_t running = 0;
  std::size_t waiting = 0;
  std::size_t deferred = 0;  // of `waiting`: because of their adapter
  double kv_usage = 0;
  std::vector<AdapterLoad> adapters;  // those with running or waiting sequences

  // Counters.
  std::uint64_t steps = 0;
  std::uint64_t prompt_tokens = 0;  // prefilled, found ones included; counted with the first token
  std::uint64_t generation_tokens = 0;
  std::uint64_t prompt_tokens_cached = 0;
  std::uint64_t prompt_tokens_recomputed = 0;
  std::uint64_t prefix_queries = 0;
  std::uint64_t prefix_hits = 0;
  std::uint64_t preemptions = 0;
  std::uint64_t adapter_swaps = 0;
  std::uint64_t adapter_loads = 0;
  std::uint64_t adapter_load_failures = 0;
  std::array<std::uint64_t, 5> finished{};  // by Finish

  Histogram request_prompt_tokens, request_generation_tokens, request_max_generation_tokens,
      request_max_tokens, request_prefill_computed, request_n, step_tokens;
  Histogram first_token_s, inter_token_s, per_output_token_s, e2e_s, queue_s, inference_s, prefill_s,
      decode_s;
};

// 1, 2, 5, 10, 20, 50 ... up to `max`.
std::vector<double> one_two_five(std::size_t max);

}  // namespace tidegate::batch
