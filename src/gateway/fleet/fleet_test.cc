#include "gateway/fleet/fleet.h"

#include <gtest/gtest.h>

#include <string>

namespace tidegate::fleet {
namespace {

using std::chrono::milliseconds;

// An engine that answers /metrics and /v1/models over one connection after another.
class FleetTest : public testing::Test {
 public:
  net::Task<void> engine(net::Listener& listener) {
    while (true) {
      Result<net::Stream> client = co_await listener.accept();
      if (!client) co_return;
      sessions_.spawn(serve(*std::move(client)));
    }
  }

  net::Task<void> serve(net::Stream stream) {
    char buffer[2048];
    while (true) {
      const Result<std::size_t> got = co_await stream.read_some(buffer, sizeof buffer);
      if (!got || *got == 0) co_return;
      const bool models = std::string_view(buffer, *got).starts_with("GET /v1/models");
      const std::string& body = models ? models_ : metrics_;
      std::string answer =
          "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
      const Result<void> sent = co_await stream.write_all(answer);
      if (!sent) co_return;
    }
  }

  net::Loop loop_;
  net::TaskGroup sessions_;
  std::string metrics_ =
      "vllm:num_requests_waiting{model_name=\"m\"} 7\nvllm:num_requests_running{model_name=\"m\"} 3\n"
      "vllm:kv_cache_usage_perc{model_name=\"m\"} 0.5\n"
      "vllm:lora_requests_info{max_lora=\"2\",running_lora_adapters=\"a\",waiting_lora_adapters=\"\"} 100\n";
  std::string models_ =
      R"({"object":"list","data":[{"id":"m","object":"model"},{"id":"a","object":"model","parent":"m"}]})";
};

TEST_F(FleetTest, LearnsLoadAdaptersAndModelsAndNoticesDeath) {
  int changes = 0;
  Fleet fleet(loop_, {.scrape_interval = milliseconds(5), .scrape_timeout = milliseconds(200), .gate = {}},
              [&] { ++changes; });
  net::TaskGroup group;
  group.spawn([](FleetTest& t, Fleet& f, int& changed) -> net::Task<void> {
    net::Alarm alarm(t.loop_);
    std::string address;
    {
      net::Listener listener = *net::Listener::bind(t.loop_, *net::Address::parse("127.0.0.1:0"));
      address = listener.address().text();
      net::TaskGroup accepting;
      accepting.spawn(t.engine(listener));
      const Wanted wanted[] = {{"pool " + address, address}};
      f.set(wanted);
      co_await alarm.after(milliseconds(60));
      const std::shared_ptr<Live> live = f.find("pool " + address);
      EXPECT_TRUE(live != nullptr);
      const pick::EndpointFacts facts = live->facts(pick::adapter_id("a"), t.loop_.now());
      EXPECT_EQ(facts.waiting, 7);
      EXPECT_EQ(facts.running, 3);
      EXPECT_FLOAT_EQ(facts.kv_usage, 0.5F);
      EXPECT_EQ(facts.adapter, pick::AdapterPlace::kResident);
      EXPECT_EQ(live->cell().residency().slots(), 2u);
      const auto served = f.served("pool " + address);
      EXPECT_TRUE(served && served->size() == 2);
      EXPECT_EQ(changed, 1) << "the models were news once";
      listener.abort();
      co_await accepting.wait_empty();
    }
    f.set({});  // closes the kept connection, so that the engine's session ends
    co_await t.sessions_.wait_empty();

    // The same address again, now with nobody there.
    const Wanted wanted[] = {{"pool " + address, address}};
    f.set(wanted);
    co_await alarm.after(milliseconds(40));
    EXPECT_FALSE(f.find("pool " + address)->cell().healthy());
    EXPECT_EQ(changed, 2);
    co_await f.stop();
    t.loop_.stop();
  }(*this, fleet, changes));
  loop_.run();
}

TEST(Live, ComesBackForATryAfterAPauseThatGrows) {
  Live live("k", *net::Address::parse("127.0.0.1:1"), 4);
  const TimePoint now{std::chrono::hours(1)};
  EXPECT_TRUE(live.facts(pick::kNoAdapter, now).healthy);
  EXPECT_TRUE(live.failed(now));
  EXPECT_FALSE(live.facts(pick::kNoAdapter, now).healthy);
  EXPECT_TRUE(live.facts(pick::kNoAdapter, now + milliseconds(500)).healthy);
  EXPECT_FALSE(live.failed(now)) << "it was out already";
  EXPECT_FALSE(live.facts(pick::kNoAdapter, now + milliseconds(500)).healthy);
  EXPECT_TRUE(live.answered());
  EXPECT_TRUE(live.facts(pick::kNoAdapter, now).healthy);
}

TEST(Live, OneThatScrapesCannotReachIsNotTriedByTime) {
  Live live("k", *net::Address::parse("127.0.0.1:1"), 4);
  const TimePoint now{std::chrono::hours(1)};
  live.failed(now);
  live.set_unreachable();
  EXPECT_FALSE(live.facts(pick::kNoAdapter, now + std::chrono::minutes(10)).healthy);
  EXPECT_TRUE(live.answered());
  EXPECT_TRUE(live.facts(pick::kNoAdapter, now).healthy);
  live.failed(now);
  EXPECT_TRUE(live.facts(pick::kNoAdapter, now + milliseconds(500)).healthy) << "that was another failure";
}

}  // namespace
}  // namespace tidegate::fleet
