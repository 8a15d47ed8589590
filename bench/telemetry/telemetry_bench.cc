// What does telling cost? Limits: a counter 2 ns, a histogram 10 ns, an access log entry 300 ns, on the
// worker's side.
//
//   build/release/bench/telemetry/telemetry_bench

#include <benchmark/benchmark.h>

#include "telemetry/access_line.h"
#include "telemetry/access_log.h"
#include "telemetry/buckets.h"
#include "telemetry/metrics.h"
#include "telemetry/trace.h"

namespace tidegate::telemetry {
namespace {

// As a request does it: several counters one after the other, not one that waits for its own last store.
void counter_add(benchmark::State& state) {
  Registry registry(1);
  CounterFamily& family = registry.counter("c_total", "C.", {"l"});
  std::array<Counter, 8> counters;
  for (std::size_t i = 0; i < counters.size(); ++i) counters[i] = family.with(0, {std::to_string(i)});
  for (auto _ : state) {
    for (Counter& counter : counters) counter.add();
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * counters.size()));
}
BENCHMARK(counter_add);

void histogram_observe(benchmark::State& state) {
  Registry registry(1);
  Histogram histogram = registry.histogram("h", "H.", ttft_bounds()).with(0);
  Random random(1);
  std::vector<double> values(1024);
  for (double& value : values) value = random.unit() * 3;
  std::size_t i = 0;
  for (auto _ : state) {
    histogram.observe(values[i++ & 1023]);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(histogram_observe);

AccessEntry typical_entry() {
  AccessEntry entry;
  entry.method = "POST";
  entry.path = "/v1/chat/completions";
  entry.protocol = "HTTP/1.1";
  entry.authority = "test.com";
  entry.user_agent = "OpenAI/Python 1.30.1";
  entry.request_id = "0b1c2d3e-4f50-4617-8a9b-acbdcedfe0f1";
  entry.trace_id = "0af7651916cd43dd8448eb211c80319c";
  entry.downstream_remote_address = "127.0.0.1:51234";
  entry.upstream_host = "127.0.1.7:8000";
  entry.upstream_cluster = "default/vllm-llama2-7b-pool";
  entry.route_name = "default/lora-route";
  entry.request_model = "lora-request";
  entry.target_model = "sql-lora-1";
  entry.response_code = 200;
  return entry;
}

// The worker's side alone, with room in the ring: rounds of 500 entries, emptied between rounds.
void access_log_record(benchmark::State& state) {
  constexpr int kRound = 500;
  auto log = *AccessLog::open({.path = "/dev/null", .ring_bytes = 1 << 20});
  const AccessEntry entry = typical_entry();
  for (auto _ : state) {
    for (int i = 0; i < kRound; ++i) benchmark::DoNotOptimize(log->record(0, entry));
    state.PauseTiming();
    log->flush();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * kRound);
  state.counters["dropped"] = static_cast<double>(log->dropped());
}
BENCHMARK(access_log_record);

// The writing thread's side.
void access_log_line(benchmark::State& state) {
  std::array<char, 8192> record;
  pack(typical_entry(), record.data());
  const auto line = std::make_unique<char[]>(kLineBytesMax);
  for (auto _ : state) {
    benchmark::DoNotOptimize(write_line(line.get(), record.data()));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(access_log_line);

void traceparent_parse_and_child(benchmark::State& state) {
  Random random(1);
  for (auto _ : state) {
    const auto parent = parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    benchmark::DoNotOptimize(format_traceparent(child_of(*parent, random)));
  }
}
BENCHMARK(traceparent_parse_and_child);

void scrape_hundred_label_sets(benchmark::State& state) {
  Registry registry(3);
  HistogramFamily& family = registry.histogram("h", "H.", ttft_bounds(), {"model"});
  for (int i = 0; i < 100; ++i) family.with(0, {"model-" + std::to_string(i)}).observe(1);
  for (auto _ : state) benchmark::DoNotOptimize(registry.scrape(Format::kText));
}
BENCHMARK(scrape_hundred_label_sets);

}  // namespace
}  // namespace tidegate::telemetry

BENCHMARK_MAIN();
