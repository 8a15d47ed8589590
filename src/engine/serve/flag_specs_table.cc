#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <numeric>

#include "engine/serve/flag_specs.h"
#include "engine/serve/kv_events_config.h"

namespace tidegate::serve {
namespace {

using Values = std::vector<std::string>;

Result<std::int64_t> whole(const std::string& text, std::int64_t least, std::int64_t most) {
  // vLLM reads 16k as 16,000 and 16K as 16,384.
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::int64_t unit = 1;
  const std::string_view suffix(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (suffix == "k") unit = 1000;
  if (suffix == "K") unit = 1024;
  if (suffix == "m") unit = 1'000'000;
  if (suffix == "M") unit = 1024 * 1024;
  if (error != std::errc() || (unit == 1 && !suffix.empty()) || number > most / unit ||
      number * unit < least) {
    return fail(Code::kInvalid, "is \"" + text + "\"; use a whole number from " + std::to_string(least) +
                                    " to " + std::to_string(most));
  }
  return number * unit;
}

Result<double> decimal(const std::string& text, double least, double most) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !(number >= least && number <= most)) {
    return fail(Code::kInvalid, "is \"" + text + "\"; use a number from " + std::to_string(least) + " to " +
                                    std::to_string(most));
  }
  return number;
}

template <auto Member>
Result<void> set_text(Flags& flags, const Values& values) {
  flags.*Member = values[0];
  return {};
}
template <auto Member>
Result<void> set_switch(Flags& flags, const Values& values) {
  flags.*Member = values[0] == "true";
  return {};
}
template <auto Member, std::int64_t Least, std::int64_t Most>
Result<void> set_whole(Flags& flags, const Values& values) {
  const auto number = whole(values[0], Least, Most);
  if (!number) return tl::unexpected(number.error());
  using Field = std::remove_reference_t<decltype(flags.*Member)>;
  flags.*Member = static_cast<Field>(*number);
  return {};
}
template <auto Member, int Least, int Most>
Result<void> set_decimal(Flags& flags, const Values& values) {
  const auto number = decimal(values[0], Least, Most);
  if (!number) return tl::unexpected(number.error());
  flags.*Member = *number;
  return {};
}
template <auto Member, std::int64_t Least, std::int64_t Most>
Result<void> set_fault(Flags& flags, const Values& values) {
  const auto number = whole(values[0], Least, Most);
  if (!number) return tl::unexpected(number.error());
  using Field = std::remove_reference_t<decltype(flags.faults.*Member)>;
  flags.faults.*Member = static_cast<Field>(*number);
  return {};
}

Result<void> multiply_gpus(Flags& flags, const Values& values) {
  const auto number = whole(values[0], 1, 1024);
  if (!number) return tl::unexpected(number.error());
  flags.gpus *= static_cast<std::size_t>(*number);
  return {};
}

Result<void> add_modules(Flags& flags, const Values& values) {
  for (const std::string& value : values) {
    LoraModule module;
    if (value.starts_with("{")) {
      const auto json = nlohmann::json::parse(value, nullptr, false);
      const auto text = [&json](const char* key) {
        const auto found = json.find(key);
        return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
      };
      if (!json.is_object()) return fail(Code::kInvalid, "holds JSON that cannot be read: " + value);
      module = {text("name"), text("path"), text("base_model_name")};
    } else {
      const std::size_t equals = value.find('=');
      if (equals != std::string::npos) module = {value.substr(0, equals), value.substr(equals + 1), ""};
    }
    if (module.name.empty() || module.path.empty()) {
      return fail(Code::kInvalid, "is \"" + value + "\"; use name=path or {\"name\": ..., \"path\": ...}");
    }
    flags.lora_modules.push_back(std::move(module));
  }
  return {};
}

template <auto Member>
Result<void> add_all(Flags& flags, const Values& values) {
  // One word may hold several names, separated by commas.
  for (const std::string& value : values) {
    if (!value.empty()) (flags.*Member).push_back(value);
  }
  return {};
}

Result<void> set_policy(Flags& flags, const Values& values) {
  if (values[0] != "fcfs" && values[0] != "priority") {
    return fail(Code::kInvalid, "is \"" + values[0] + "\"; use fcfs or priority");
  }
  flags.priority_policy = values[0] == "priority";
  return {};
}

Result<void> set_mode(Flags& flags, const Values& values) {
  if (values[0] != "random" && values[0] != "echo") {
    return fail(Code::kInvalid, "is \"" + values[0] + "\"; use random or echo");
  }
  flags.echo = values[0] == "echo";
  return {};
}

Result<void> set_hash(Flags&, const Values& values) {
  constexpr std::array<std::string_view, 4> kKnown = {"sha256", "sha256_cbor", "xxhash", "xxhash_cbor"};
  if (std::find(kKnown.begin(), kKnown.end(), values[0]) == kKnown.end()) {
    return fail(Code::kInvalid, "is \"" + values[0] + "\"; use sha256, sha256_cbor, xxhash or xxhash_cbor");
  }
  return {};
}

Result<void> set_fail_rate(Flags& flags, const Values& values) {
  const auto rate = decimal(values[0], 0, 1);
  if (!rate) return tl::unexpected(rate.error());
  flags.faults.fail_rate = *rate;
  return {};
}

Result<void> set_rank(Flags& flags, const Values& values) {
  const auto rank = whole(values[0], 1, 512);
  if (!rank) return tl::unexpected(rank.error());
  constexpr std::array<std::int64_t, 9> kRanks = {1, 8, 16, 32, 64, 128, 256, 320, 512};
  if (std::find(kRanks.begin(), kRanks.end(), *rank) == kRanks.end()) {
    return fail(Code::kInvalid, "is " + values[0] + "; use 1, 8, 16, 32, 64, 128, 256, 320 or 512");
  }
  flags.lora_rank_max = static_cast<std::size_t>(*rank);
  return {};
}

Result<void> set_kv_events(Flags& flags, const Values& values) {
  auto read = parse_kv_events(values[0]);
  if (!read) return tl::unexpected(read.error());
  flags.kv_events = *std::move(read);
  return {};
}

constexpr std::int64_t kMany = 1'000'000'000;
constexpr std::int64_t kDayMs = 86'400'000;

constexpr FlagSpec kSpecs[] = {
    {"model", Takes::kValue, set_text<&Flags::model>, "folder or name of the base model"},
    {"served-model-name", Takes::kList, add_all<&Flags::served_names>,
     "names clients may use; the first is shown"},
    {"host", Takes::kValue, set_text<&Flags::host>, "address to listen on (TIDEGATE_POD_IP, else 127.0.0.1)"},
    {"port", Takes::kValue, set_whole<&Flags::port, 0, 65535>,
     "port to listen on; 0 takes a free one (8000)"},
    {"api-key", Takes::kList, add_all<&Flags::api_keys>,
     "required as a bearer token under /v1 (VLLM_API_KEY)"},
    {"max-model-len", Takes::kValue, set_whole<&Flags::context_max, 1, kMany>, "tokens of prompt and answer"},
    {"max-num-seqs", Takes::kValue, set_whole<&Flags::sequences_max, 1, 65536>, "sequences in a step (256)"},
    {"max-num-batched-tokens", Takes::kValue, set_whole<&Flags::step_tokens_max, 1, kMany>,
     "tokens in a step (2048)"},
    {"long-prefill-token-threshold", Takes::kValue, set_whole<&Flags::chunk_tokens_max, 0, kMany>,
     "tokens of one prompt in a step; 0: no limit"},
    {"enable-chunked-prefill", Takes::kNothing, set_switch<&Flags::chunked_prefill>,
     "split long prompts (on)"},
    {"scheduling-policy", Takes::kValue, set_policy, "fcfs or priority (fcfs)"},
    {"block-size", Takes::kValue, set_whole<&Flags::block_tokens, 1, 1024>, "tokens in a KV block (16)"},
    {"num-gpu-blocks-override", Takes::kValue, set_whole<&Flags::blocks, 1, kMany>,
     "KV blocks, whatever memory holds"},
    {"gpu-memory-utilization", Takes::kValue, set_decimal<&Flags::memory_utilization, 0, 1>,
     "share of memory to use (0.9)"},
    {"tensor-parallel-size", Takes::kValue, multiply_gpus, "GPUs that share the model, in the simulation"},
    {"pipeline-parallel-size", Takes::kValue, multiply_gpus, "GPUs that share the model, in the simulation"},
    {"enable-prefix-caching", Takes::kNothing, set_switch<&Flags::prefix_caching>,
     "find equal prefixes again (on)"},
    {"prefix-caching-hash-algo", Takes::kValue, set_hash, "accepted; blocks are named by sha256_cbor"},
    {"seed", Takes::kValue,
     [](Flags& flags, const Values& values) -> Result<void> {
       const auto number = whole(values[0], std::numeric_limits<std::int64_t>::min(),
                                 std::numeric_limits<std::int64_t>::max());
       if (!number) return tl::unexpected(number.error());
       flags.seed = static_cast<std::uint64_t>(*number);
       return {};
     },
     "of everything that is drawn"},
    {"enable-lora", Takes::kNothing, set_switch<&Flags::lora>, "serve adapters"},
    {"max-loras", Takes::kValue, set_whole<&Flags::loras_max, 1, 4096>, "distinct adapters in a step (1)"},
    {"max-lora-rank", Takes::kValue, set_rank, "largest rank an adapter may have (16)"},
    {"max-cpu-loras", Takes::kValue, set_whole<&Flags::cpu_loras_max, 1, 65536>,
     "adapters in CPU memory (max-loras)"},
    {"lora-modules", Takes::kList, add_modules, "name=path ..., adapters known from the start"},
    {"lora-max-wait-ms", Takes::kValue, set_whole<&Flags::lora_wait_ms, 0, kDayMs>,
     "how long a cold adapter waits before a hot one makes room (1000)"},
    {"max-logprobs", Takes::kValue, set_whole<&Flags::logprobs_max, -1, kMany>,
     "most logprobs a request may ask for (20)"},
    {"enable-prompt-tokens-details", Takes::kNothing, set_switch<&Flags::prompt_tokens_details>,
     "cached tokens in usage"},
    {"enable-force-include-usage", Takes::kNothing, set_switch<&Flags::force_include_usage>,
     "usage in every stream"},
    {"enable-request-id-headers", Takes::kNothing, set_switch<&Flags::request_id_headers>,
     "X-Request-Id in answers"},
    {"enable-auto-tool-choice", Takes::kNothing, set_switch<&Flags::auto_tool_choice>,
     "accept tools with choice auto"},
    {"return-tokens-as-token-ids", Takes::kNothing, set_switch<&Flags::tokens_as_ids>,
     "logprobs name token_id:N"},
    {"enable-sleep-mode", Takes::kNothing, set_switch<&Flags::sleep_mode>, "allow /sleep"},
    {"chat-template", Takes::kValue, set_text<&Flags::chat_template>, "a file or a template"},
    {"generation-config", Takes::kValue, set_text<&Flags::generation_config>, "auto, vllm or a folder"},
    {"tokenizer", Takes::kValue, set_text<&Flags::tokenizer>, "folder of another tokenizer"},
    {"quantization", Takes::kValue, set_text<&Flags::quantization>, "weights of the CPU engine: int8"},
    {"dtype", Takes::kValue, set_text<&Flags::dtype>, "weights of the CPU engine: auto, bfloat16, float32"},
    {"threads", Takes::kValue, set_whole<&Flags::threads, 1, 1024>, "of the CPU engine (all cores)"},
    {"max-waiting-queue-length", Takes::kValue, set_whole<&Flags::waiting_max, 0, kMany>,
     "waiting requests above which 429 is answered; 0: no limit"},
    {"drain-seconds", Takes::kValue, set_whole<&Flags::drain_s, 0, 86400>,
     "for running requests after SIGTERM (TIDEGATE_POD_GRACE_S, else 30)"},

    {"simulate", Takes::kMaybe,
     [](Flags& flags, const Values& values) -> Result<void> {
       flags.simulate = values.empty() ? "" : values[0];
       return {};
     },
     "compute nothing: =PROFILE models a GPU, chosen by the model's name if left out"},
    {"time-scale", Takes::kValue, set_decimal<&Flags::time_scale, 0, 1000>,
     "modelled time times this is waited (1)"},
    {"mode", Takes::kValue, set_mode, "random or echo: what the simulation answers (random)"},
    {"time-to-first-token", Takes::kValue, set_decimal<&Flags::first_token_ms, 0, 3600000>,
     "ms, instead of the profile's"},
    {"inter-token-latency", Takes::kValue, set_decimal<&Flags::inter_token_ms, 0, 3600000>,
     "ms, instead of the profile's"},
    {"prefill-time-per-token", Takes::kValue, set_decimal<&Flags::prefill_token_ms, 0, 3600000>, "ms, added"},
    {"time-factor-under-load", Takes::kValue, set_decimal<&Flags::load_factor, 1, 1000>,
     "slowdown at a full batch (1)"},
    {"step-model", Takes::kValue, set_text<&Flags::step_model>,
     "figures over the profile's, as --calibrate prints them"},
    {"calibrate", Takes::kValue, set_text<&Flags::calibrate>,
     "URL of a running server: measure it and print the flags that simulate it"},
    {"calibrate-seconds", Takes::kValue, set_whole<&Flags::calibrate_s, 5, 3600>, "time for that (60)"},
    {"fail-rate", Takes::kValue, set_fail_rate, "share of requests that fail (0)"},
    {"fail-after-tokens", Takes::kValue, set_fault<&Faults::fail_after_tokens, 0, kMany>,
     "failing streams break after this many tokens; 0: they answer 500"},
    {"stall-ms", Takes::kValue, set_fault<&Faults::stall_ms, 0, kDayMs>,
     "before the first byte of every answer (0)"},
    {"startup-delay", Takes::kValue,
     [](Flags& flags, const Values& values) -> Result<void> {
       const auto delay = decimal(values[0], 0, 86400);
       if (!delay) return tl::unexpected(delay.error());
       flags.faults.startup_delay_ms = static_cast<std::int64_t>(*delay * 1000);
       return {};
     },
     "seconds until the engine is ready (0)"},
    {"old-vllm", Takes::kNothing, set_switch<&Flags::old_vllm>,
     "as before mid-2025: flat errors, strict stream_options, v0 metrics"},

    // Known to vLLM, without meaning here.
    {"trust-remote-code", Takes::kNothing, nullptr, ""},
    {"enforce-eager", Takes::kNothing, nullptr, ""},
    {"disable-log-requests", Takes::kNothing, nullptr, ""},
    {"enable-log-requests", Takes::kNothing, nullptr, ""},
    {"disable-log-stats", Takes::kNothing, nullptr, ""},
    {"disable-custom-all-reduce", Takes::kNothing, nullptr, ""},
    {"disable-frontend-multiprocessing", Takes::kNothing, nullptr, ""},
    {"disable-fastapi-docs", Takes::kNothing, nullptr, ""},
    {"disable-sliding-window", Takes::kNothing, nullptr, ""},
    {"disable-cascade-attn", Takes::kNothing, nullptr, ""},
    {"disable-async-output-proc", Takes::kNothing, nullptr, ""},
    {"disable-uvicorn-access-log", Takes::kNothing, nullptr, ""},
    {"disable-hybrid-kv-cache-manager", Takes::kNothing, nullptr, ""},
    {"enable-expert-parallel", Takes::kNothing, nullptr, ""},
    {"enable-reasoning", Takes::kNothing, nullptr, ""},
    {"enable-prompt-adapter", Takes::kNothing, nullptr, ""},
    {"enable-prompt-embeds", Takes::kNothing, nullptr, ""},
    {"enable-lora-bias", Takes::kNothing, nullptr, ""},
    {"enable-server-load-tracking", Takes::kNothing, nullptr, ""},
    {"fully-sharded-loras", Takes::kNothing, nullptr, ""},
    {"use-v2-block-manager", Takes::kNothing, nullptr, ""},
    {"multi-step-stream-outputs", Takes::kNothing, nullptr, ""},
    {"ray-workers-use-nsight", Takes::kNothing, nullptr, ""},
    {"skip-tokenizer-init", Takes::kNothing, nullptr, ""},
    {"allow-credentials", Takes::kNothing, nullptr, ""},
    {"async-scheduling", Takes::kNothing, nullptr, ""},
    {"calculate-kv-scales", Takes::kNothing, nullptr, ""},
    {"headless", Takes::kNothing, nullptr, ""},
    {"tokenizer-mode", Takes::kValue, nullptr, ""},
    {"tokenizer-revision", Takes::kValue, nullptr, ""},
    {"revision", Takes::kValue, nullptr, ""},
    {"code-revision", Takes::kValue, nullptr, ""},
    {"download-dir", Takes::kValue, nullptr, ""},
    {"load-format", Takes::kValue, nullptr, ""},
    {"config-format", Takes::kValue, nullptr, ""},
    {"model-loader-extra-config", Takes::kValue, nullptr, ""},
    {"model-impl", Takes::kValue, nullptr, ""},
    {"kv-cache-dtype", Takes::kValue, nullptr, ""},
    {"rope-scaling", Takes::kValue, nullptr, ""},
    {"rope-theta", Takes::kValue, nullptr, ""},
    {"hf-overrides", Takes::kValue, nullptr, ""},
    {"hf-token", Takes::kMaybe, nullptr, ""},
    {"data-parallel-size", Takes::kValue, nullptr, ""},
    {"data-parallel-rank", Takes::kValue, nullptr, ""},
    {"data-parallel-address", Takes::kValue, nullptr, ""},
    {"data-parallel-rpc-port", Takes::kValue, nullptr, ""},
    {"data-parallel-backend", Takes::kValue, nullptr, ""},
    {"distributed-executor-backend", Takes::kValue, nullptr, ""},
    {"max-parallel-loading-workers", Takes::kValue, nullptr, ""},
    {"api-server-count", Takes::kValue, nullptr, ""},
    {"worker-cls", Takes::kValue, nullptr, ""},
    {"worker-extension-cls", Takes::kValue, nullptr, ""},
    {"swap-space", Takes::kValue, nullptr, ""},
    {"cpu-offload-gb", Takes::kValue, nullptr, ""},
    {"max-seq-len-to-capture", Takes::kValue, nullptr, ""},
    {"cuda-graph-sizes", Takes::kList, nullptr, ""},
    {"max-num-partial-prefills", Takes::kValue, nullptr, ""},
    {"max-long-partial-prefills", Takes::kValue, nullptr, ""},
    {"num-scheduler-steps", Takes::kValue, nullptr, ""},
    {"num-lookahead-slots", Takes::kValue, nullptr, ""},
    {"scheduler-delay-factor", Takes::kValue, nullptr, ""},
    {"scheduler-cls", Takes::kValue, nullptr, ""},
    {"preemption-mode", Takes::kValue, nullptr, ""},
    {"guided-decoding-backend", Takes::kValue, nullptr, ""},
    {"structured-outputs-config", Takes::kValue, nullptr, ""},
    {"logits-processor-pattern", Takes::kValue, nullptr, ""},
    {"logits-processors", Takes::kList, nullptr, ""},
    {"logprobs-mode", Takes::kValue, nullptr, ""},
    {"tool-call-parser", Takes::kValue, nullptr, ""},
    {"tool-parser-plugin", Takes::kValue, nullptr, ""},
    {"reasoning-parser", Takes::kValue, nullptr, ""},
    {"response-role", Takes::kValue, nullptr, ""},
    {"chat-template-content-format", Takes::kValue, nullptr, ""},
    {"override-generation-config", Takes::kValue, nullptr, ""},
    {"task", Takes::kValue, nullptr, ""},
    {"runner", Takes::kValue, nullptr, ""},
    {"convert", Takes::kValue, nullptr, ""},
    {"device", Takes::kValue, nullptr, ""},
    {"speculative-config", Takes::kValue, nullptr, ""},
    {"speculative-model", Takes::kValue, nullptr, ""},
    {"num-speculative-tokens", Takes::kValue, nullptr, ""},
    {"lora-dtype", Takes::kValue, nullptr, ""},
    {"lora-extra-vocab-size", Takes::kValue, nullptr, ""},
    {"long-lora-scaling-factors", Takes::kValue, nullptr, ""},
    {"default-mm-loras", Takes::kValue, nullptr, ""},
    {"limit-mm-per-prompt", Takes::kValue, nullptr, ""},
    {"mm-processor-kwargs", Takes::kValue, nullptr, ""},
    {"kv-transfer-config", Takes::kValue, nullptr, ""},
    {"kv-events-config", Takes::kValue, set_kv_events,
     "{\"enable_kv_cache_events\": true, \"endpoint\": \"tcp://*:5557\", ...}: tell what the KV cache holds"},
    {"compilation-config", Takes::kValue, nullptr, ""},
    {"additional-config", Takes::kValue, nullptr, ""},
    {"attention-backend", Takes::kValue, nullptr, ""},
    {"otlp-traces-endpoint", Takes::kValue, nullptr, ""},
    {"collect-detailed-traces", Takes::kValue, nullptr, ""},
    {"show-hidden-metrics-for-version", Takes::kValue, nullptr, ""},
    {"stream-interval", Takes::kValue, nullptr, ""},
    {"max-log-len", Takes::kValue, nullptr, ""},
    {"log-config-file", Takes::kValue, nullptr, ""},
    {"uvicorn-log-level", Takes::kValue, nullptr, ""},
    {"root-path", Takes::kValue, nullptr, ""},
    {"middleware", Takes::kList, nullptr, ""},
    {"allowed-origins", Takes::kValue, nullptr, ""},
    {"allowed-methods", Takes::kValue, nullptr, ""},
    {"allowed-headers", Takes::kValue, nullptr, ""},
    {"ssl-keyfile", Takes::kValue, nullptr, ""},
    {"ssl-certfile", Takes::kValue, nullptr, ""},
    {"ssl-ca-certs", Takes::kValue, nullptr, ""},
    {"ssl-cert-reqs", Takes::kValue, nullptr, ""},
};

// Levenshtein's distance, for short words.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({replaced, row[j] + 1, row[j - 1] + 1}));
    }
  }
  return row.back();
}

}  // namespace

std::span<const FlagSpec> flag_specs() { return kSpecs; }

const FlagSpec* find_flag(std::string_view name) {
  const auto found = std::find_if(std::begin(kSpecs), std::end(kSpecs),
                                  [name](const FlagSpec& spec) { return spec.name == name; });
  return found == std::end(kSpecs) ? nullptr : found;
}

std::string_view nearest_flag(std::string_view name) {
  constexpr std::size_t kReadMax = 64;
  name = name.substr(0, kReadMax);
  return std::min_element(std::begin(kSpecs), std::end(kSpecs),
                          [name](const FlagSpec& a, const FlagSpec& b) {
                            return distance(name, a.name) < distance(name, b.name);
                          })
      ->name;
}

}  // namespace tidegate::serve
