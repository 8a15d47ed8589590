#include "engine/serve/metrics_text.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "telemetry/exposition.h"
#include "telemetry/process.h"

namespace tidegate::serve {
namespace {

using telemetry::ExpositionWriter;
using telemetry::Kind;
using Label = std::pair<std::string_view, std::string_view>;

void finished_requests(ExpositionWriter& out, const batch::Stats& stats, std::span<const Label> common) {
  out.family(Kind::kCounter, "vllm:request_success_total", "Count of successfully processed requests.");
  constexpr std::array<std::pair<std::string_view, batch::Finish>, 4> kReasons = {
      {{"stop", batch::Finish::kStop},
       {"length", batch::Finish::kLength},
       {"abort", batch::Finish::kAbort},
       {"error", batch::Finish::kError}}};
  std::vector<Label> labels(common.begin(), common.end());
  labels.emplace_back("finished_reason", "");
  for (const auto& [name, reason] : kReasons) {
    labels.back().second = name;
    out.sample(labels, stats.finished[static_cast<std::size_t>(reason)]);
  }
}

// Series that both generations have.
void shared_series(ExpositionWriter& out, const MetricsPage& page, std::span<const Label> labels) {
  const batch::Stats& stats = page.stats;
  const auto gauge = [&](std::string_view name, std::string_view help, double value) {
    out.family(Kind::kGauge, name, help);
    out.sample(labels, value);
  };
  const auto counter = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    out.family(Kind::kCounter, name, help);
    out.sample(labels, value);
  };
  const auto histogram = [&](std::string_view name, std::string_view help, const batch::Histogram& from) {
    out.family(Kind::kHistogram, name, help);
    out.histogram(labels, from.bounds(), from.counts(), from.sum());
  };
  gauge("vllm:num_requests_running", "Number of requests in model execution batches.",
        static_cast<double>(stats.running));
  gauge("vllm:num_requests_waiting", "Number of requests waiting to be processed.",
        static_cast<double>(stats.waiting));
  gauge("vllm:gpu_cache_usage_perc", "GPU KV-cache usage. 1 means 100 percent usage.", stats.kv_usage);
  counter("vllm:num_preemptions_total", "Cumulative number of preemption from the engine.",
          stats.preemptions);
  counter("vllm:prompt_tokens_total", "Number of prefill tokens processed.", stats.prompt_tokens);
  counter("vllm:generation_tokens_total", "Number of generation tokens processed.", stats.generation_tokens);
  histogram("vllm:iteration_tokens_total", "Histogram of number of tokens per engine_step.",
            stats.step_tokens);
  histogram("vllm:time_to_first_token_seconds", "Histogram of time to first token in seconds.",
            stats.first_token_s);
  histogram("vllm:time_per_output_token_seconds", "Histogram of time per output token in seconds.",
            stats.inter_token_s);
  histogram("vllm:e2e_request_latency_seconds", "Histogram of e2e request latency in seconds.", stats.e2e_s);
  histogram("vllm:request_queue_time_seconds", "Histogram of time spent in WAITING phase for request.",
            stats.queue_s);
  histogram("vllm:request_inference_time_seconds", "Histogram of time spent in RUNNING phase for request.",
            stats.inference_s);
  histogram("vllm:request_prefill_time_seconds", "Histogram of time spent in PREFILL phase for request.",
            stats.prefill_s);
  histogram("vllm:request_decode_time_seconds", "Histogram of time spent in DECODE phase for request.",
            stats.decode_s);
  histogram("vllm:request_prompt_tokens", "Number of prefill tokens processed.", stats.request_prompt_tokens);
  histogram("vllm:request_generation_tokens", "Number of generation tokens processed.",
            stats.request_generation_tokens);
  histogram("vllm:request_max_num_generation_tokens",
            "Histogram of maximum number of requested generation tokens.",
            stats.request_max_generation_tokens);
  histogram("vllm:request_params_max_tokens", "Histogram of the max_tokens request parameter.",
            stats.request_max_tokens);
  histogram("vllm:request_params_n", "Histogram of the n request parameter.", stats.request_n);
  finished_requests(out, stats, labels);
}

void v0_series(ExpositionWriter& out, const MetricsPage& page, std::span<const Label> labels) {
  const batch::Stats& stats = page.stats;
  const auto gauge = [&](std::string_view name, std::string_view help, double value) {
    out.family(Kind::kGauge, name, help);
    out.sample(labels, value);
  };
  gauge("vllm:num_requests_swapped", "Number of requests swapped to CPU.", 0);
  gauge("vllm:cpu_cache_usage_perc", "CPU KV-cache usage. 1 means 100 percent usage.", 0);
  gauge("vllm:avg_prompt_throughput_toks_per_s", "Average prefill throughput in tokens/s.",
        page.rates.prompt());
  gauge("vllm:avg_generation_throughput_toks_per_s", "Average generation throughput in tokens/s.",
        page.rates.generation());
  const double hit_rate = stats.prefix_queries == 0 ? -1
                                                    : static_cast<double>(stats.prefix_hits) /
                                                          static_cast<double>(stats.prefix_queries);
  gauge("vllm:gpu_prefix_cache_hit_rate", "GPU prefix cache block hit rate.", hit_rate);
  gauge("vllm:cpu_prefix_cache_hit_rate", "CPU prefix cache block hit rate.", -1);
}

void v1_series(ExpositionWriter& out, const MetricsPage& page, std::span<const Label> labels) {
  const batch::Stats& stats = page.stats;
  const auto counter = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    out.family(Kind::kCounter, name, help);
    out.sample(labels, value);
  };
  std::vector<Label> more(labels.begin(), labels.end());
  more.emplace_back("", "");
  const auto labelled = [&](std::string_view label, std::string_view value) -> std::span<const Label> {
    more.back() = {label, value};
    return more;
  };
  out.family(Kind::kGauge, "vllm:kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage.");
  out.sample(labels, stats.kv_usage);
  out.family(Kind::kGauge, "vllm:num_requests_waiting_by_reason", "Number of waiting requests by reason.");
  out.sample(labelled("reason", "capacity"), static_cast<double>(stats.waiting - stats.deferred));
  out.sample(labelled("reason", "deferred"), static_cast<double>(stats.deferred));
  out.family(Kind::kGauge, "vllm:engine_sleep_state", "Engine sleep state.");
  out.sample(labelled("sleep_state", "awake"), page.sleep == SleepState::kAwake ? 1.0 : 0.0);
  out.sample(labelled("sleep_state", "weights_offloaded"),
             page.sleep == SleepState::kWeightsOffloaded ? 1.0 : 0.0);
  out.sample(labelled("sleep_state", "discard_all"), page.sleep == SleepState::kDiscardAll ? 1.0 : 0.0);
  counter("vllm:prefix_cache_queries_total", "Prefix cache queries, in terms of number of queried tokens.",
          stats.prefix_queries);
  counter("vllm:prefix_cache_hits_total", "Prefix cache hits, in terms of number of cached tokens.",
          stats.prefix_hits);
  counter("vllm:gpu_prefix_cache_queries_total", "GPU prefix cache queries, in tokens.",
          stats.prefix_queries);
  counter("vllm:gpu_prefix_cache_hits_total", "GPU prefix cache hits, in tokens.", stats.prefix_hits);
  counter("vllm:prompt_tokens_cached_total", "Prompt tokens found in the cache.", stats.prompt_tokens_cached);
  counter("vllm:prompt_tokens_recomputed_total", "Prompt tokens computed again after a preemption.",
          stats.prompt_tokens_recomputed);
  out.family(Kind::kCounter, "vllm:prompt_tokens_by_source_total", "Prompt tokens by where they came from.");
  out.sample(labelled("source", "local_compute"), stats.prompt_tokens - stats.prompt_tokens_cached);
  out.sample(labelled("source", "local_cache_hit"), stats.prompt_tokens_cached);
  out.sample(labelled("source", "external_kv_transfer"), std::uint64_t{0});
  const auto histogram = [&](std::string_view name, std::string_view help, const batch::Histogram& from) {
    out.family(Kind::kHistogram, name, help);
    out.histogram(labels, from.bounds(), from.counts(), from.sum());
  };
  histogram("vllm:inter_token_latency_seconds", "Histogram of inter-token latency in seconds.",
            stats.inter_token_s);
  histogram("vllm:request_time_per_output_token_seconds",
            "Histogram of time_per_output_token_seconds per request.", stats.per_output_token_s);
  histogram("vllm:request_prefill_kv_computed_tokens", "Histogram of new KV tokens computed during prefill.",
            stats.request_prefill_computed);
  const std::string blocks = std::to_string(page.cache.blocks);
  const std::string block_tokens = std::to_string(page.cache.block_tokens);
  const std::string tokens = std::to_string(page.cache.blocks * page.cache.block_tokens);
  std::string utilization;
  telemetry::append_number(utilization, page.cache.memory_utilization);
  const std::array<Label, 7> cache = {
      {{"block_size", block_tokens},
       {"num_gpu_blocks", blocks},
       {"cache_dtype", "auto"},
       {"gpu_memory_utilization", utilization},
       {"enable_prefix_caching", page.cache.prefix_caching ? "True" : "False"},
       {"kv_cache_size_tokens", tokens},
       {"engine", "0"}}};
  out.family(Kind::kGauge, "vllm:cache_config_info", "Information of the LLMEngine CacheConfig.");
  out.sample(cache, 1.0);
}

std::string_view place_name(lora::Place place) {
  switch (place) {
    case lora::Place::kDisk:
      return "disk";
    case lora::Place::kLoading:
      return "loading";
    case lora::Place::kMemory:
      return "memory";
    case lora::Place::kSlot:
      return "slot";
    case lora::Place::kRetired:
      break;
  }
  return "retired";
}

// vllm:lora_requests_info says who has requests, not who is loaded; tidegate:adapter_place says where each
// one is.
void adapter_series(ExpositionWriter& out, const MetricsPage& page, std::span<const Label> common) {
  const auto name = [&page](lora::AdapterId id) -> std::string_view {
    return id < page.adapter_names.size() ? std::string_view(page.adapter_names[id]) : std::string_view();
  };
  std::string running, waiting;
  const auto join = [](std::string& list, std::string_view item) {
    if (!list.empty()) list += ',';
    list += item;
  };
  for (const batch::AdapterLoad& load : page.stats.adapters) {
    if (load.running > 0) join(running, name(load.adapter));
    if (load.waiting > 0) join(waiting, name(load.adapter));
  }
  if (page.last_step != WallTime{}) {
    const std::string max = std::to_string(page.loras_max);
    const std::array<Label, 3> labels = {
        {{"max_lora", max}, {"running_lora_adapters", running}, {"waiting_lora_adapters", waiting}}};
    out.family(Kind::kGauge, "vllm:lora_requests_info", "Running stats on lora requests.");
    out.sample(labels, std::chrono::duration<double>(page.last_step.time_since_epoch()).count());
  }
  if (page.old_vllm) return;
  std::vector<Label> labels(common.begin(), common.end());
  labels.emplace_back("adapter", "");
  labels.emplace_back("place", "");
  out.family(Kind::kGauge, "tidegate:adapter_place",
             "1 for where each adapter is: disk, loading, memory or slot.");
  for (const batch::AdapterLoad& load : page.stats.adapters) {
    labels[labels.size() - 2].second = name(load.adapter);
    labels.back().second = place_name(load.place);
    out.sample(labels, 1.0);
  }
  const auto counter = [&](std::string_view family, std::string_view help, std::uint64_t value) {
    out.family(Kind::kCounter, family, help);
    out.sample(common, value);
  };
  counter("tidegate:adapter_slot_loads_total", "Adapters put into a slot.", page.stats.adapter_swaps);
  counter("tidegate:adapter_reads_total", "Adapters read from disk.", page.stats.adapter_loads);
  counter("tidegate:adapter_read_failures_total", "Adapters that could not be read.",
          page.stats.adapter_load_failures);
}

// As ACK's GPU exporter shows a process; here the engine speaks for its modelled GPU itself.
void gpu_series(ExpositionWriter& out, const MetricsPage& page) {
  const std::string process = std::to_string(getpid());
  const std::string uuid = "GPU-simulated-" + std::string(page.pod_name.empty() ? process : page.pod_name);
  const std::array<Label, 14> labels = {{{"NamespaceName", page.pod_namespace},
                                         {"PodName", page.pod_name},
                                         {"ContainerName", ""},
                                         {"ProcessId", process},
                                         {"ProcessName", "tidegate"},
                                         {"ProcessType", "C"},
                                         {"AllocateMode", "exclusive"},
                                         {"NodeName", page.node_name},
                                         {"NodePoolId", ""},
                                         {"PodSource", ""},
                                         {"UUID", uuid},
                                         {"device", "nvidia0"},
                                         {"gpu", "0"},
                                         {"modelName", "simulated"}}};
  out.family(Kind::kGauge, "DCGM_CUSTOM_PROCESS_SM_UTIL",
             "Share of time that the modelled GPU was busy, in percent.");
  out.sample(labels, *page.sm_util);
}

void http_series(ExpositionWriter& out, const MetricsPage& page) {
  out.family(Kind::kCounter, "http_requests_total",
             "Total number of requests by method, status and handler.");
  for (const auto& [key, count] : page.http) {
    const std::array<Label, 3> labels = {
        {{"handler", key.handler}, {"method", key.method}, {"status", key.status}}};
    out.sample(labels, count);
  }
}

}  // namespace

void Rates::look(const batch::Stats& stats, TimePoint now) {
  if (begun_ && now - since_ < std::chrono::seconds(5)) return;
  if (begun_) {
    const double elapsed = seconds(now - since_);
    prompt_ = static_cast<double>(stats.prompt_tokens - prompt_tokens_) / elapsed;
    generation_ = static_cast<double>(stats.generation_tokens - generation_tokens_) / elapsed;
  }
  begun_ = true;
  since_ = now;
  prompt_tokens_ = stats.prompt_tokens;
  generation_tokens_ = stats.generation_tokens;
}

void BusyShare::look(Duration busy, TimePoint now) {
  if (begun_ && now - since_ < std::chrono::seconds(1)) return;
  if (begun_) percent_ = std::clamp(100 * seconds(busy - busy_) / seconds(now - since_), 0.0, 100.0);
  begun_ = true;
  since_ = now;
  busy_ = busy;
}

std::string metrics_text(const MetricsPage& page) {
  ExpositionWriter out(telemetry::Format::kText);
  const std::array<Label, 2> labels = {{{"model_name", page.model_name}, {"engine", "0"}}};
  const std::span<const Label> common =
      page.old_vllm ? std::span(labels).first(1) : std::span<const Label>(labels);
  shared_series(out, page, common);
  v0_series(out, page, common);
  if (!page.old_vllm) v1_series(out, page, common);
  if (page.loras_max > 0) adapter_series(out, page, common);
  if (page.sm_util) gpu_series(out, page);
  http_series(out, page);
  telemetry::write_process_metrics(out);
  return std::move(out).finish();
}

}  // namespace tidegate::serve
