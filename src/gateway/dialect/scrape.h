// Engine state out of a Prometheus text page: vLLM's (both metric generations), SGLang's, llama.cpp's and
// TensorRT-LLM's. Whose page it is is seen by its names.
//
// A hand scanner: it walks lines, compares the few names it knows and skips the rest, and allocates nothing
// once the strings of `state` have grown. A page of 60 KB takes some 20 us.
//
// Series of one name are summed over their labels (engine="N" of a data-parallel engine); KV use is the
// highest of them. vllm:lora_requests_info leaves one series per label set behind, whose value is a time: the
// greatest counts.
//
// Source: vLLM docs/design/metrics.md; Gateway API Inference Extension, model server protocol (proposal 003).
// Thread: pure.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/dialect/engine.h"

namespace tidegate::dialect {

struct EngineState {
  double waiting = 0;   // vllm:num_requests_waiting
  double running = 0;   // vllm:num_requests_running
  double kv_usage = 0;  // 0 to 1; vllm:kv_cache_usage_perc, v0: vllm:gpu_cache_usage_perc
  bool has_waiting = false;
  bool has_running = false;
  bool has_kv = false;

  // vllm:lora_requests_info. These are the adapters with requests, not those that are loaded:
  // pick/residency.h keeps a model of the latter.
  bool has_lora = false;
  std::uint32_t max_lora = 0;
  std::vector<std::string> running_adapters;
  std::vector<std::string> waiting_adapters;

  // vllm:cache_config_info, summed over engines; 0 if unknown ("None").
  std::uint64_t num_gpu_blocks = 0;
  std::uint64_t block_size = 0;

  // Tokens computed and generated since it started; grows while the engine works.
  double tokens = 0;
  bool has_tokens = false;

  Engine engine = Engine::kUnknown;  // whose names are on the page

  // Anything known was on the page. A page without is no engine's.
  bool any() const { return has_waiting || has_running || has_kv; }
  void clear();  // keeps the strings' memory
};

// Fills `state` anew. Adapters beyond 1024 per list are dropped.
void read_metrics(std::string_view page, EngineState& state);

}  // namespace tidegate::dialect
