// The /metrics page: vLLM's series of both generations, and a few of our own.
//
// v1 and v0 share many names; shared ones carry v1's labels (model_name, engine), which readers of v0 do not
// mind. An engine that plays an old vLLM shows v0's series alone.
//
// Thread: pure, but for Rates, which has one owner.
// Source: reference model-server.md section 2.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "engine/batch/stats.h"

namespace tidegate::serve {

// v0's gauges of tokens per second: over the time since the last look, at least five seconds.
class Rates {
 public:
  void look(const batch::Stats& stats, TimePoint now);
  double prompt() const { return prompt_; }
  double generation() const { return generation_; }

 private:
  bool begun_ = false;
  TimePoint since_;
  std::uint64_t prompt_tokens_ = 0;
  std::uint64_t generation_tokens_ = 0;
  double prompt_ = 0;
  double generation_ = 0;
};

// Share of time the modelled GPU was busy, 0 to 100: over at least a second, between two looks.
class BusyShare {
 public:
  void look(Duration busy, TimePoint now);
  double percent() const { return percent_; }

 private:
  bool begun_ = false;
  TimePoint since_;
  Duration busy_{0};
  double percent_ = 0;
};

enum class SleepState { kAwake, kWeightsOffloaded, kDiscardAll };

// What vllm:cache_config_info tells.
struct CacheInfo {
  std::size_t block_tokens = 16;
  std::size_t blocks = 0;
  double memory_utilization = 0.9;
  bool prefix_caching = true;
};

// Finished HTTP requests, by (handler, method, status class).
struct HttpCount {
  std::string handler, method, status;
  auto operator<=>(const HttpCount&) const = default;
};

struct MetricsPage {
  const batch::Stats& stats;
  std::string_view model_name;
  std::vector<std::string> adapter_names;  // by id
  std::size_t loras_max = 0;               // 0: adapters are off
  WallTime last_step{};
  const Rates& rates;
  CacheInfo cache;
  SleepState sleep = SleepState::kAwake;
  const std::map<HttpCount, std::uint64_t>& http;
  bool old_vllm = false;
  // Utilisation of a modelled GPU; empty where there is no GPU to speak of. With it: who we are, as ACK's
  // exporter labels a process.
  std::optional<double> sm_util{};
  std::string_view pod_namespace{};
  std::string_view pod_name{};
  std::string_view node_name{};
};

std::string metrics_text(const MetricsPage& page);

}  // namespace tidegate::serve
