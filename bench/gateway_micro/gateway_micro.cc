// What deciding costs: the parts of a request that are not sockets, each alone. Times are per request, event
// or page.
//
//   build/release/bench/gateway_micro/gateway_micro
//
// Bounds to hold: everything together near 1.5 us for a 1 KB request; a pick among 1,000 endpoints under 20
// us, with a prompt of 100k tokens (400 KB) under 100 us at the 99th percentile; a page of 60 KB under 60 us,
// which is 0.12 of a core for 100 engines scraped every 50 ms.

#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "gateway/admit/admit.h"
#include "gateway/dialect/api.h"
#include "gateway/dialect/body_facts.h"
#include "gateway/dialect/edit.h"
#include "gateway/dialect/scrape.h"
#include "gateway/dialect/usage.h"
#include "gateway/pick/prompt_lookup.h"
#include "gateway/pick/rank.h"
#include "gateway/rewrite/model_table.h"
#include "gateway/route/table.h"

namespace tidegate {
namespace {

// A chat body of about `size` bytes, with the newlines and quotes that prompts have.
std::string chat_body(std::size_t size, bool stream) {
  std::string text;
  while (text.size() + 160 < size)
    text += "The quick \\\"brown\\\" fox jumps over the lazy dog again and again.\\n";
  return R"({"model":"lora-request","messages":[{"role":"user","content":")" + text +
         R"("}],"max_tokens":100,"temperature":0)" + (stream ? R"(,"stream":true})" : "}");
}

void read_and_edit(benchmark::State& state) {
  const std::string body = chat_body(static_cast<std::size_t>(state.range(0)), state.range(1) != 0);
  const std::string memory = body + std::string(dialect::kBodyPadding, ' ');
  const std::string_view view = std::string_view(memory).substr(0, body.size());
  dialect::BodyReader reader;
  for (auto _ : state) {
    const auto facts = reader.read(view);
    dialect::EditList edits;
    edits.replace_model(*facts, "\"sql-lora\"");
    edits.ask_for_usage(*facts, {});
    benchmark::DoNotOptimize(edits.apply(view).total);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * body.size()));
}
BENCHMARK(read_and_edit)
    ->ArgNames({"bytes", "stream"})
    ->Args({1024, 0})
    ->Args({1024, 1})
    ->Args({4096, 0})
    ->Args({400'000, 0});

struct Pool {
  explicit Pool(std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
      cells.push_back(std::make_unique<pick::EndpointCell>(4));
      cells.back()->publish({static_cast<float>(i % 7), static_cast<float>(i % 64), 0.3F}, 0, TimePoint{});
      for (std::uint32_t a = 0; a < 4; ++a)
        cells.back()->residency().touch(static_cast<pick::AdapterId>(1 + (i + a) % 10), TimePoint{});
    }
  }
  std::vector<std::unique_ptr<pick::EndpointCell>> cells;
};

// With reading the shared cells, admission and the dispatch itself.
void choose(benchmark::State& state) {
  Pool pool(static_cast<std::size_t>(state.range(0)));
  pick::Picker picker;
  Random random(1);
  const TimePoint now = TimePoint{} + std::chrono::milliseconds(20);
  pick::AdapterId adapter = 1;
  for (auto _ : state) {
    auto& facts = picker.facts();
    facts.clear();
    for (const auto& cell : pool.cells) cell->observe(adapter, now, facts.emplace_back());
    const admit::Decision decision =
        admit::admit(admit::load_of(facts, {}), pick::Criticality::kStandard, {});
    benchmark::DoNotOptimize(decision);
    const pick::Ranking order = picker.rank({}, random, 2);
    pick::EndpointCell& chosen = *pool.cells[order.at(0)];
    const auto ticket = chosen.dispatch();
    chosen.residency().touch(adapter, now);
    chosen.finish(ticket);
    adapter = 1 + adapter % 10;
  }
}
BENCHMARK(choose)->ArgName("endpoints")->Arg(10)->Arg(100)->Arg(1000);

// Of this thread: what else the machine does is not in it.
double thread_cpu_us() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) * 1e-3;
}

// Engines that tell what they hold: every prompt's tokens are known, four bytes each, and 64 endpoints hold
// the beginning that all prompts share, one each the rest.
struct Told {
  void learn(std::size_t prompt, const std::string& text) {
    pick::PromptKeys keys;
    keys.hash(7, text);
    std::vector<std::uint32_t> tokens;
    for (std::size_t at = 0; at + 4 <= text.size(); at += 4)
      tokens.push_back(static_cast<std::uint32_t>(pick::hash_bytes(std::string_view(text).substr(at, 4), 0)));
    map.learn(keys, tokens, "", 16);
    pick::TokenPoints points;
    map.find(keys, points);
    for (std::size_t point = 0; point < points.size(); ++point) {
      const bool shared = points.bytes(point + 1) <= text.size() / 10;
      for (std::size_t holder = 0; holder < (shared ? 64 : 1); ++holder)
        blocks.store(static_cast<pick::PrefixId>((prompt + holder) % 1000), points.key(point));
    }
  }
  pick::TokenMap map;
  pick::BlockIndex blocks;
};

// A whole pick with the prompt looked up and noted. Some prompts are new, some go on where one was before,
// and all share a system prompt; `p99_cpu_us` is of single picks, which
// the mean hides.
void choose_by_prompt(benchmark::State& state) {
  const auto endpoints = static_cast<std::size_t>(state.range(0));
  const auto bytes = static_cast<std::size_t>(state.range(1));
  Pool pool(endpoints);
  pick::PrefixIndex index;
  std::vector<pick::PrefixSlot> slots;
  for (std::size_t i = 0; i < endpoints; ++i) slots.push_back(index.add());
  const bool tells = state.range(2) != 0;
  const auto told = std::make_unique<Told>();
  pick::PromptLookup prompts(index, &told->blocks, &told->map);
  pick::Picker picker;
  Random random(1);
  const TimePoint now = TimePoint{} + std::chrono::milliseconds(20);
  std::vector<std::string> texts(64, std::string(bytes, 'x'));
  for (const pick::PrefixSlot& slot : slots) told->blocks.set_trust(slot.id(), pick::Trust::kWhole);
  for (std::size_t i = 0; tells && i < texts.size(); ++i) {
    for (std::size_t at = bytes / 10; at < bytes; at += 61) texts[i][at] = static_cast<char>('a' + i % 26);
    told->learn(i, texts[i]);
  }
  std::vector<double> took_us;
  std::deque<std::pair<std::uint32_t, pick::EndpointCell::Ticket>> under_way;  // four per endpoint
  for (auto _ : state) {
    state.PauseTiming();
    std::string& text = texts[random.below(texts.size())];
    if (random.below(4) == 0) {  // another conversation, or one that parts somewhere
      for (std::size_t at = bytes / 10 + random.below(bytes - bytes / 10); at < bytes; at += 61)
        text[at] = static_cast<char>('a' + random.below(26));
    }
    state.ResumeTiming();
    const double began = thread_cpu_us();
    prompts.ask(7, text);
    if (tells) prompts.ask_engines(now);
    auto& facts = picker.facts();
    facts.resize(endpoints);
    for (std::size_t i = 0; i < endpoints; ++i) {
      pool.cells[i]->observe(1, now, facts[i]);
      facts[i].prefix_bytes = prompts.held_bytes(slots[i].id());
    }
    const admit::Decision decision =
        admit::admit(admit::load_of(facts, {}), pick::Criticality::kStandard, {});
    benchmark::DoNotOptimize(decision);
    const std::uint32_t chosen = picker.rank({}, random, 1).at(0);
    prompts.sent_to(slots[chosen].id());
    const auto ticket = pool.cells[chosen]->dispatch();
    const double ended = thread_cpu_us();
    under_way.emplace_back(chosen, ticket);
    if (under_way.size() > 4 * endpoints) {
      pool.cells[under_way.front().first]->finish(under_way.front().second);
      under_way.pop_front();
    }
    took_us.push_back(ended - began);
  }
  std::ranges::sort(took_us);
  state.counters["p99_cpu_us"] = took_us[took_us.size() * 99 / 100];
  state.counters["index_MiB"] = static_cast<double>(index.memory_bytes()) / 1048576;
}
BENCHMARK(choose_by_prompt)
    ->ArgNames({"endpoints", "bytes", "told"})
    ->Args({10, 1024, 0})
    ->Args({10, 8192, 0})
    ->Args({10, 400'000, 0})
    ->Args({1000, 8192, 0})
    ->Args({1000, 400'000, 0})
    ->Args({10, 8192, 1})
    ->Args({1000, 8192, 1})
    ->Args({1000, 400'000, 1});

void rank_only(benchmark::State& state) {
  Pool pool(static_cast<std::size_t>(state.range(0)));
  pick::Picker picker;
  Random random(1);
  for (const auto& cell : pool.cells) picker.facts().push_back(cell->facts(3, TimePoint{}));
  for (auto _ : state) benchmark::DoNotOptimize(picker.rank({}, random, 2).at(0));
}
BENCHMARK(rank_only)->ArgName("endpoints")->Arg(10)->Arg(1000);

void match_and_draw(benchmark::State& state) {
  std::vector<route::Route> routes;
  route::Rule rule;
  rule.destinations = {{0, 1}};
  for (int i = 0; i < 50; ++i) {
    routes.push_back({route::Family::kLlmRoute,
                      "default/r" + std::to_string(i),
                      "",
                      {"host-" + std::to_string(i) + ".com"},
                      {rule}});
  }
  const route::Table table = *route::Table::build(std::move(routes));
  std::vector<rewrite::Target> targets;
  for (int i = 0; i < 10; ++i) targets.push_back({"adapter-" + std::to_string(i), 10, {}});
  std::vector<rewrite::ModelEntry> entries;
  entries.push_back(
      {"lora-request", *rewrite::Split::make("f", targets), pick::Criticality::kStandard, "", 0});
  const rewrite::ModelTable models(std::move(entries));
  const std::vector<http::Header> headers = {
      {"Host", "host-7.com:8080"}, {"Content-Type", "application/json"}, {"Accept", "*/*"}};
  Random random(1);
  for (auto _ : state) {
    const dialect::Api api = dialect::classify("POST", "/v1/chat/completions");
    benchmark::DoNotOptimize(api);
    const route::Matched matched = table.match({"host-7.com:8080", "POST", "/v1/chat/completions", &headers});
    benchmark::DoNotOptimize(route::draw(*matched.rule, random.next()));
    benchmark::DoNotOptimize(models.resolve("lora-request", random.next(), nullptr).target);
  }
}
BENCHMARK(match_and_draw);

void look_at_event(benchmark::State& state) {
  const bool usage = state.range(0) != 0;
  const std::string data =
      std::string(
          R"({"id":"chatcmpl-0123456789abcdef","object":"chat.completion.chunk","created":1767225600,"model":"sql-lora","choices":[{"index":0,"delta":{"content":" token"},"logprobs":null,"finish_reason":null}])") +
      (usage ? R"(,"usage":{"prompt_tokens":120,"total_tokens":155,"completion_tokens":35}})" : "}");
  const dialect::UsageSse sse(dialect::Injected{true, true});
  for (auto _ : state) benchmark::DoNotOptimize(sse.look(data).cut.begin);
}
BENCHMARK(look_at_event)->ArgName("usage")->Arg(0)->Arg(1);

void scan_answer(benchmark::State& state) {
  const std::string body =
      R"({"id":"cmpl-1","object":"text_completion","choices":[{"index":0,"text":")" +
      std::string(static_cast<std::size_t>(state.range(0)), 'x') +
      R"(","finish_reason":"length"}],"usage":{"prompt_tokens":120,"total_tokens":155,"completion_tokens":35}})";
  dialect::UsageScan scan;
  for (auto _ : state) {
    scan.reset();
    scan.feed(body);
    benchmark::DoNotOptimize(scan.result()->completion);
  }
}
BENCHMARK(scan_answer)->ArgName("bytes")->Arg(300)->Arg(16'000);

// As large as vLLM's page with all its histograms.
std::string metrics_page(std::size_t size) {
  std::string page;
  page +=
      "vllm:num_requests_running{engine=\"0\",model_name=\"base\"} "
      "3.0\nvllm:num_requests_waiting{engine=\"0\",model_name=\"base\"} 5.0\n";
  for (int i = 0; page.size() < size; ++i) {
    page += "vllm:e2e_request_latency_seconds_bucket{engine=\"0\",le=\"" + std::to_string(i) +
            ".0\",model_name=\"base\"} 123.0\n";
    if (i % 20 == 0)
      page += "# HELP vllm:e2e_request_latency_seconds Histogram of e2e request latency in seconds.\n";
  }
  page += "vllm:kv_cache_usage_perc{engine=\"0\",model_name=\"base\"} 0.25\n";
  page +=
      "vllm:lora_requests_info{max_lora=\"4\",running_lora_adapters=\"sql-lora,tweet-summary\",waiting_lora_"
      "adapters=\"\"} 1.7e+09\n";
  return page;
}

void scrape_page(benchmark::State& state) {
  const std::string page = metrics_page(static_cast<std::size_t>(state.range(0)));
  dialect::EngineState engine;
  for (auto _ : state) {
    dialect::read_metrics(page, engine);
    benchmark::DoNotOptimize(engine.waiting);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * page.size()));
}
BENCHMARK(scrape_page)->ArgName("bytes")->Arg(60'000);

}  // namespace
}  // namespace tidegate

BENCHMARK_MAIN();
