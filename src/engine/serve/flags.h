// The engine's command line: vLLM's, and our own flags for the simulated engine.
//
// Flags may be spelt with - or _, take their value after = or as the next word, and come after any of
//
//   tidegate engine ...      python3 -m vllm.entrypoints.openai.api_server ...      vllm serve MODEL ...
//
// A flag of vLLM that means nothing here is accepted with a note; one that nobody knows is an error that
// names the nearest known flag.
//
// Thread: pure functions.
// Source: reference model-server.md sections 1.5 and 4.1; vLLM engine/arg_utils.py.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/serve/path_map.h"

namespace tidegate::serve {

struct LoraModule {
  std::string name;
  std::string path;
  std::string base;  // base_model_name; empty: the first served name
};

// What goes wrong on purpose, in the simulated engine.
struct Faults {
  double fail_rate = 0;  // share of requests answered 500, 0 to 1
  std::size_t fail_after_tokens =
      0;                      // a failing request streams this many tokens first, then its connection breaks
  std::int64_t stall_ms = 0;  // before the first byte of every answer
  std::int64_t startup_delay_ms = 0;  // /health answers 503 and the port refuses work until then
};

// --kv-events-config: where and how what happens to the KV cache is told (kv_publisher.h).
struct KvEvents {
  bool enabled = false;
  std::string endpoint = "tcp://*:5557";
  std::string replay_endpoint;        // empty: no replay
  std::size_t buffer_steps = 10'000;  // batches kept for replay
  std::size_t hwm = 100'000;          // messages that wait for a slow subscriber
  std::size_t max_queue_size = 100'000;  // batches that wait for the publisher
  std::string topic;
};

struct Flags {
  std::string model;
  PathMap paths;  // TIDEGATE_PATH_MAP: where the folders named here are
  std::vector<std::string> served_names;  // never empty after parsing
  std::string host;
  std::uint16_t port = 8000;
  std::vector<std::string> api_keys;

  std::size_t context_max = 0;  // 0: the model's
  std::size_t sequences_max = 256;
  std::size_t step_tokens_max = 2048;
  std::size_t chunk_tokens_max = 0;
  bool chunked_prefill = true;
  bool priority_policy = false;
  std::size_t block_tokens = 16;
  std::size_t blocks = 0;  // --num-gpu-blocks-override; 0: what memory holds
  double memory_utilization = 0.9;
  std::size_t gpus = 1;  // tensor times pipeline parallel
  bool prefix_caching = true;
  std::string hash_seed;  // PYTHONHASHSEED
  std::optional<std::uint64_t> seed;

  bool lora = false;
  std::size_t loras_max = 1;
  std::size_t lora_rank_max = 16;
  std::size_t cpu_loras_max = 0;  // 0: loras_max
  std::vector<LoraModule> lora_modules;
  std::int64_t lora_wait_ms =
      1000;                   // --lora-max-wait-ms: how long a cold adapter waits before a hot one is closed
  bool runtime_lora = false;  // VLLM_ALLOW_RUNTIME_LORA_UPDATING

  std::int64_t logprobs_max = 20;
  bool prompt_tokens_details = false;
  bool force_include_usage = false;
  bool request_id_headers = false;
  bool auto_tool_choice = false;
  bool tokens_as_ids = false;
  bool sleep_mode = false;
  bool dev_mode = false;  // VLLM_SERVER_DEV_MODE
  std::string chat_template;
  std::string generation_config = "auto";
  std::string tokenizer;  // a folder; empty: the model's
  std::string quantization;
  std::string dtype;
  std::size_t threads = 0;      // --threads or OMP_NUM_THREADS, of the CPU engine; 0: all
  std::size_t waiting_max = 0;  // --max-waiting-queue-length: 429 above; 0: no limit, as vLLM
  std::int64_t drain_s = -1;    // --drain-seconds; set once the flags are read: by TIDEGATE_POD_GRACE_S, else 30

  KvEvents kv_events;

  std::optional<std::string> simulate;  // a profile's name; empty: chosen by the model's name
  double time_scale = 1;                // modelled time times this is waited
  bool echo = false;                    // --mode echo
  std::optional<double> first_token_ms, inter_token_ms, prefill_token_ms, load_factor;
  std::string step_model;               // figures over the profile's (latency/step_model.h)
  Faults faults;
  bool old_vllm = false;  // as before mid-2025: flat errors, strict stream_options, v0 metrics only

  std::string calibrate;         // a server's URL: measure it instead of serving
  std::int64_t calibrate_s = 60;  // for about this long

  std::vector<std::string> notes;  // one line each: flags accepted without effect
};

// Looks an environment variable up; nothing if it is not set.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;

// `args` without the program's name. Errors: kInvalid with the flag as field; kNotFound for an unknown flag.
Result<Flags> parse_flags(std::span<const std::string> args, const Environment& environment);

// For --help: every flag that has an effect, with its meaning.
std::string flags_help();

}  // namespace tidegate::serve
