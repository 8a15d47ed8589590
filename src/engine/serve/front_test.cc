// The engine over real connections on a free loopback port, with the instant profile: nothing sleeps.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/serve/engine.h"
#include "http/client.h"
#include "http/sse.h"

namespace tidegate::serve {
namespace {

using nlohmann::json;

Flags flags_of(const std::vector<std::string>& more = {},
               const std::map<std::string, std::string>& variables = {}) {
  std::vector<std::string> args = {
      "--simulate=instant", "--served-model-name", "base", "--port", "0", "--seed", "1",
      "--enable-lora",      "--max-loras",         "2"};
  args.insert(args.end(), more.begin(), more.end());
  auto flags = parse_flags(args, [&](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(std::string(name));
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
  EXPECT_TRUE(flags.has_value()) << describe(flags.error());
  return *flags;
}

// An engine, a client and a loop; the scenario runs to its end, then everything is drained.
class World {
 public:
  explicit World(const Flags& flags = flags_of())
      : engine(*Engine::make(loop, flags, *simulated_parts(flags), clock)),
        client(loop),
        address(*engine->listen()) {}

  void run(std::function<net::Task<void>(World&)> scenario) {
    auto all = [](World& world, std::function<net::Task<void>(World&)>& play) -> net::Task<void> {
      co_await play(world);
      world.client.close_idle();
      co_await world.engine->drain(std::chrono::seconds(5));
      world.loop.stop();
    };
    net::Timer watchdog(loop, [] {
      ADD_FAILURE() << "the scenario hangs";
      std::abort();
    });
    watchdog.arm(loop.now() + std::chrono::seconds(60));
    net::TaskGroup group;
    group.spawn(all(*this, scenario));
    loop.run();
    EXPECT_EQ(engine->in_flight(), 0u);
  }

  net::Task<http::Response> ask(std::string method, std::string target, std::string body = {},
                                std::vector<std::pair<std::string, std::string>> headers = {}) {
    http::ClientRequest request;
    request.method = std::move(method);
    request.target = std::move(target);
    request.body = std::move(body);
    request.headers = std::move(headers);
    if (!request.body.empty()) request.headers.emplace_back("Content-Type", "application/json");
    Result<http::Response> answer =
        co_await client.fetch(address, request, loop.now() + std::chrono::seconds(20));
    if (!answer) {
      ADD_FAILURE() << describe(answer.error());
      http::Response none;
      co_return none;
    }
    co_return *std::move(answer);
  }

  const SystemClock clock;
  net::Loop loop;
  std::unique_ptr<Engine> engine;
  http::Client client;
  net::Address address;
};

using Headers = std::vector<std::pair<std::string, std::string>>;

// GCC 12 cannot make lists inside a coroutine.
Headers one_header(std::string name, std::string value) { return {{std::move(name), std::move(value)}}; }

void expect_series(const std::string& page) {
  for (const std::string_view name :
       {"vllm:gpu_cache_usage_perc", "vllm:kv_cache_usage_perc", "vllm:num_requests_swapped",
        "vllm:avg_generation_throughput_toks_per_s", "vllm:time_to_first_token_seconds_bucket",
        "vllm:request_success_total", "vllm:lora_requests_info", "vllm:cache_config_info"}) {
    EXPECT_NE(page.find(name), std::string::npos) << name;
  }
}

std::string body_of(int i) {
  constexpr std::string_view kModels[] = {"base", "a", "b", "c", "d"};
  return "{\"model\": \"" + std::string(kModels[i % 5]) + "\", \"prompt\": \"" + std::to_string(i) +
         "\", \"max_tokens\": 30, \"n\": 2, \"stream\": " + (i % 2 == 0 ? "true" : "false") + "}";
}

std::string detokenize_body(const json& tokens) {
  json body;
  body["tokens"] = tokens;
  return body.dump();
}

double metric(const std::string& page, const std::string& line_start) {
  const std::size_t at = page.find("\n" + line_start);
  if (at == std::string::npos) return -1;
  const std::size_t space = page.find(' ', at + line_start.size());
  return std::stod(page.substr(space + 1));
}

TEST(Front, AnswersACompletionAndCountsIt) {
  World world;
  world.run([](World& w) -> net::Task<void> {
    const auto answer = co_await w.ask("POST", "/v1/completions",
                                       R"({"prompt": "hello", "max_tokens": 5, "ignore_eos": true})");
    EXPECT_EQ(answer.status, 200);
    const json body = json::parse(answer.body);
    EXPECT_EQ(body["model"], "base");
    EXPECT_EQ(body["usage"]["completion_tokens"], 5);
    const auto page = co_await w.ask("GET", "/metrics");
    EXPECT_EQ(metric(page.body, "vllm:generation_tokens_total{"), 5);
    EXPECT_EQ(metric(page.body, "vllm:num_requests_running{"), 0);
    EXPECT_EQ(metric(page.body, "http_requests_total{handler=\"/v1/completions\""), 1);
    expect_series(page.body);
  });
}

TEST(Front, StreamsEventByEventWithUsage) {
  World world;
  world.run([](World& w) -> net::Task<void> {
    const auto answer = co_await w.ask(
        "POST", "/v1/chat/completions",
        R"({"messages": [{"role": "user", "content": "hi"}], "max_tokens": 4, "ignore_eos": true, "stream": true,
            "stream_options": {"include_usage": true}})");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.header("Content-Type"), "text/event-stream; charset=utf-8");
    std::vector<std::string> events;
    http::SseScanner scanner;
    const auto fed = scanner.feed(
        answer.body, [&](const http::SseScanner::Event& event) { events.emplace_back(event.data); });
    EXPECT_TRUE(fed.has_value());
    EXPECT_EQ(events.size(), 7u) << "role, four tokens, usage, the end";
    if (events.size() != 7) co_return;
    EXPECT_EQ(json::parse(events[0])["choices"][0]["delta"]["role"], "assistant");
    EXPECT_EQ(json::parse(events[5])["usage"]["completion_tokens"], 4);
    EXPECT_EQ(events[6], "[DONE]");
  });
}

TEST(Front, RefusesInVllmsWay) {
  World world;
  world.run([](World& w) -> net::Task<void> {
    const auto unknown = co_await w.ask("POST", "/v1/completions", R"({"model": "x", "prompt": "y"})");
    EXPECT_EQ(unknown.status, 404);
    EXPECT_EQ(json::parse(unknown.body)["error"]["type"], "NotFoundError");
    const auto broken = co_await w.ask("POST", "/v1/completions", "{");
    EXPECT_EQ(broken.status, 400);
    const auto nowhere = co_await w.ask("GET", "/nowhere");
    EXPECT_EQ(nowhere.status, 404);
    const auto method = co_await w.ask("GET", "/v1/completions");
    EXPECT_EQ(method.status, 405);
    const auto long_prompt =
        co_await w.ask("POST", "/v1/completions", "{\"prompt\": \"" + std::string(60'000, '!') + "\"}");
    EXPECT_EQ(long_prompt.status, 400);
    EXPECT_NE(long_prompt.body.find("maximum context length"), std::string::npos);
    const auto closed =
        co_await w.ask("POST", "/v1/load_lora_adapter", R"({"lora_name": "a", "lora_path": "/a"})");
    EXPECT_EQ(closed.status, 404) << "only with VLLM_ALLOW_RUNTIME_LORA_UPDATING";
    const auto sleep = co_await w.ask("POST", "/sleep", "{}");
    EXPECT_EQ(sleep.status, 404);
  });
}

TEST(Front, InvocationsAreEitherAndEmbeddingsAreRefused) {
  World world;
  world.run([](World& w) -> net::Task<void> {
    const auto text = co_await w.ask("POST", "/invocations", R"({"prompt": "x", "max_tokens": 2})");
    EXPECT_EQ(json::parse(text.body)["object"], "text_completion");
    const auto chat = co_await w.ask("POST", "/invocations",
                                     R"({"messages": [{"role": "user", "content": "x"}], "max_tokens": 2})");
    EXPECT_EQ(json::parse(chat.body)["object"], "chat.completion");
    const auto broken = co_await w.ask("POST", "/invocations", "{");
    EXPECT_EQ(broken.status, 400);
    const auto embeddings = co_await w.ask("POST", "/v1/embeddings", R"({"input": "x"})");
    EXPECT_EQ(embeddings.status, 400);
    EXPECT_NE(embeddings.body.find("does not support Embeddings"), std::string::npos);
  });
}

TEST(Front, KeysGuardV1Only) {
  World world(flags_of({"--api-key", "first", "second"}));
  world.run([](World& w) -> net::Task<void> {
    const auto without = co_await w.ask("GET", "/v1/models");
    EXPECT_EQ(without.status, 401);
    EXPECT_EQ(without.body, R"({"error":"Unauthorized"})");
    const Headers wrong = one_header("Authorization", "Bearer firs");
    const auto refused = co_await w.ask("GET", "/v1/models", "", wrong);
    EXPECT_EQ(refused.status, 401);
    const Headers right = one_header("Authorization", "Bearer second");
    const auto with = co_await w.ask("GET", "/v1/models", "", right);
    EXPECT_EQ(with.status, 200);
    const auto open = co_await w.ask("GET", "/health");
    EXPECT_EQ(open.status, 200);
  });
}

TEST(Front, AdaptersAreServedLoadedAndUnloaded) {
  World world(flags_of({"--lora-modules", "sql-lora=/a/sql"}, {{"VLLM_ALLOW_RUNTIME_LORA_UPDATING", "1"}}));
  world.run([](World& w) -> net::Task<void> {
    const auto sql = co_await w.ask("POST", "/v1/completions",
                                    R"({"model": "sql-lora", "prompt": "x", "ignore_eos": true})");
    EXPECT_EQ(json::parse(sql.body)["model"], "sql-lora");
    EXPECT_NE(sql.body.find("SELECT"), std::string::npos);
    const auto loaded =
        co_await w.ask("POST", "/v1/load_lora_adapter", R"({"lora_name": "tweet", "lora_path": "/t"})");
    EXPECT_EQ(loaded.status, 200);
    const auto again =
        co_await w.ask("POST", "/v1/load_lora_adapter", R"({"lora_name": "tweet", "lora_path": "/t"})");
    EXPECT_EQ(again.status, 400);
    const auto list = co_await w.ask("GET", "/v1/models");
    const json cards = json::parse(list.body)["data"];
    EXPECT_EQ(cards.size(), 3u);
    EXPECT_EQ(cards[2]["parent"], "base");
    EXPECT_TRUE(cards[2]["max_model_len"].is_null());
    const auto tweet = co_await w.ask("POST", "/v1/completions", R"({"model": "tweet", "prompt": "x"})");
    EXPECT_EQ(tweet.status, 200);
    const auto gone = co_await w.ask("POST", "/v1/unload_lora_adapter", R"({"lora_name": "tweet"})");
    EXPECT_EQ(gone.status, 200);
    const auto after = co_await w.ask("POST", "/v1/completions", R"({"model": "tweet", "prompt": "x"})");
    EXPECT_EQ(after.status, 404);
    const auto missing = co_await w.ask("POST", "/v1/unload_lora_adapter", R"({"lora_name": "tweet"})");
    EXPECT_EQ(missing.status, 404);
  });
}

TEST(Front, AClientThatLeavesFreesItsSlot) {
  World world(flags_of({"--max-num-seqs", "1", "--max-model-len", "200000", "--inter-token-latency", "1"}));
  world.run([](World& w) -> net::Task<void> {
    {
      http::ClientRequest request;
      request.method = "POST";
      request.target = "/v1/completions";
      request.headers = one_header("Content-Type", "application/json");
      request.body = R"({"prompt": "x", "max_tokens": 100000, "ignore_eos": true, "stream": true})";
      Result<http::Exchange> stream =
          co_await w.client.open(w.address, request, w.loop.now() + std::chrono::seconds(20));
      EXPECT_TRUE(stream.has_value());
      if (!stream) co_return;
      const auto first = co_await stream->read(w.loop.now() + std::chrono::seconds(20));
      EXPECT_TRUE(first.has_value());
    }
    // With one slot, this is answered only if the first request has gone.
    const auto next = co_await w.ask("POST", "/v1/completions", R"({"prompt": "y", "max_tokens": 2})");
    EXPECT_EQ(next.status, 200);
    const auto page = co_await w.ask("GET", "/metrics");
    EXPECT_NE(page.body.find("finished_reason=\"abort\"} 1"), std::string::npos);
  });
}

TEST(Front, ManyAtOnceAllEnd) {
  World world(flags_of({"--lora-modules", "a=/a", "b=/b", "c=/c", "d=/d"}));
  world.run([](World& w) -> net::Task<void> {
    net::TaskGroup clients;
    int answered = 0;
    auto one = [](World& at, int i, int& count) -> net::Task<void> {
      const auto answer = co_await at.ask("POST", "/v1/completions", body_of(i));
      EXPECT_EQ(answer.status, 200);
      ++count;
    };
    for (int i = 0; i < 100; ++i) clients.spawn(one(w, i, answered));
    co_await clients.wait_empty();
    EXPECT_EQ(answered, 100);
  });
}

TEST(Front, FaultsOnDemand) {
  World world(flags_of({"--fail-rate", "1", "--fail-after-tokens", "3"}));
  world.run([](World& w) -> net::Task<void> {
    const Headers asked = one_header("X-Return-Error", "429");
    const auto refused = co_await w.ask("POST", "/v1/completions", R"({"prompt": "x"})", asked);
    EXPECT_EQ(refused.status, 429);
    EXPECT_TRUE(refused.header("Retry-After").has_value());
    http::ClientRequest request;
    request.method = "POST";
    request.target = "/v1/completions";
    request.headers = one_header("Content-Type", "application/json");
    request.body = R"({"prompt": "x", "max_tokens": 10, "ignore_eos": true, "stream": true})";
    const Result<http::Response> cut =
        co_await w.client.fetch(w.address, request, w.loop.now() + std::chrono::seconds(20));
    EXPECT_TRUE(!cut.has_value() || cut->status == 500) << "either the stream is cut or it never began";
  });
}

TEST(Front, AnOldVllmSaysThingsTheOldWay) {
  World world(flags_of({"--old-vllm"}));
  world.run([](World& w) -> net::Task<void> {
    const auto unknown = co_await w.ask("POST", "/v1/completions", R"({"model": "x", "prompt": "y"})");
    EXPECT_EQ(json::parse(unknown.body)["object"], "error");
    const auto options = co_await w.ask(
        "POST", "/v1/completions",
        R"({"prompt": "y", "stream": true, "stream_options": {"include_usage": true, "continuous_usage_stats": true}})");
    EXPECT_EQ(options.status, 400);
    const auto page = co_await w.ask("GET", "/metrics");
    EXPECT_NE(page.body.find("vllm:gpu_cache_usage_perc{model_name=\"base\"}"), std::string::npos);
    EXPECT_EQ(page.body.find("vllm:kv_cache_usage_perc"), std::string::npos);
  });
}

TEST(Front, SleepAbortsAndWakes) {
  World world(flags_of({"--enable-sleep-mode"}, {{"VLLM_SERVER_DEV_MODE", "1"}}));
  world.run([](World& w) -> net::Task<void> {
    const auto asleep = co_await w.ask("POST", "/sleep?level=1");
    EXPECT_EQ(asleep.status, 200);
    const auto state = co_await w.ask("GET", "/is_sleeping");
    EXPECT_EQ(state.body, R"({"is_sleeping":true})");
    const auto awake = co_await w.ask("POST", "/wake_up");
    EXPECT_EQ(awake.status, 200);
    const auto answer = co_await w.ask("POST", "/v1/completions", R"({"prompt": "x", "max_tokens": 2})");
    EXPECT_EQ(answer.status, 200);
  });
}

TEST(Front, TokenizesBothWays) {
  World world;
  world.run([](World& w) -> net::Task<void> {
    const auto there =
        co_await w.ask("POST", "/tokenize", R"({"prompt": "Hello, tide", "add_special_tokens": false})");
    const json tokens = json::parse(there.body)["tokens"];
    const auto back = co_await w.ask("POST", "/detokenize", detokenize_body(tokens));
    EXPECT_EQ(json::parse(back.body)["prompt"], "Hello, tide");
  });
}

}  // namespace
}  // namespace tidegate::serve
