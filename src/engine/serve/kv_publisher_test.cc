// A real subscriber of a real engine: simulated, on a free port.

#include "engine/serve/kv_publisher.h"

#include <gtest/gtest.h>

#include <array>

#include "engine/serve/kv_events_config.h"

namespace tidegate::serve {
namespace {

using namespace std::chrono_literals;

KvEvents free_ports() {
  KvEvents config;
  config.enabled = true;
  config.endpoint = "tcp://127.0.0.1:*";
  config.replay_endpoint = "tcp://127.0.0.1:*";
  config.topic = "kv@me";
  config.buffer_steps = 3;
  return config;
}

kvwire::Batch removal(std::uint64_t hash) { return {1.5, {kvwire::BlockRemoved{{hash}, "GPU", 0}}, 0}; }

std::vector<std::string> next_message(kvwire::Socket& socket) {
  std::vector<std::string> frames;
  std::vector<bool> readable;
  const kvwire::Socket* const one = &socket;
  for (int i = 0; i < 100 && !socket.receive(frames); ++i) kvwire::poll({&one, 1}, -1, 100ms, readable);
  return frames;
}

TEST(KvPublisher, WhatWasMissedIsReplayed) {
  auto publisher = KvPublisher::make(free_ports());
  ASSERT_TRUE(publisher) << describe(publisher.error());
  for (std::uint64_t i = 0; i < 5; ++i) (*publisher)->publish(removal(100 + i));
  auto context = kvwire::Context::make();
  auto dealer = kvwire::Socket::make(*context, kvwire::Socket::Type::kDealer, {});
  ASSERT_TRUE(dealer->connect((*publisher)->replay_endpoint()));
  const std::string from = kvwire::sequence_frame(3);
  for (const std::string& question : {from, std::string("short"), kvwire::sequence_frame(0)}) {
    const std::array<std::string_view, 2> frames = {"", question};
    ASSERT_TRUE(dealer->send(frames));
  }
  // Of five batches three are kept: 3 and 4 for the first question, 2 to 4 for the last.
  std::vector<std::uint64_t> numbers;
  for (int i = 0; i < 7; ++i) {
    const std::vector<std::string> frames = next_message(*dealer);
    ASSERT_EQ(frames.size(), 3U) << i;
    numbers.push_back(kvwire::sequence_of(frames[1]).value_or(99));
    if (numbers.back() == kvwire::kReplayEnd) continue;
    const auto batch = kvwire::decode(frames[2]);
    ASSERT_TRUE(batch);
    EXPECT_EQ(std::get<kvwire::BlockRemoved>(batch->events[0]).hashes[0], 100 + numbers.back());
  }
  EXPECT_EQ(numbers, (std::vector<std::uint64_t>{3, 4, kvwire::kReplayEnd, 2, 3, 4, kvwire::kReplayEnd}));
}

TEST(KvPublisher, ASubscriberHearsTheTopic) {
  auto publisher = KvPublisher::make(free_ports());
  ASSERT_TRUE(publisher);
  auto context = kvwire::Context::make();
  auto subscriber = kvwire::Socket::make(*context, kvwire::Socket::Type::kSubscribe, {});
  subscriber->subscribe("kv@");
  ASSERT_TRUE(subscriber->connect((*publisher)->endpoint()));
  std::vector<std::string> frames;
  std::vector<bool> readable;
  const kvwire::Socket* const one = &*subscriber;
  for (std::uint64_t i = 0; i < 2000 && frames.empty(); ++i) {
    (*publisher)->publish(removal(i));
    kvwire::poll({&one, 1}, -1, 5ms, readable);
    subscriber->receive(frames);
  }
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(frames[0], "kv@me");
  const auto batch = kvwire::decode(frames[2]);
  ASSERT_TRUE(batch);
  EXPECT_EQ(std::get<kvwire::BlockRemoved>(batch->events[0]).hashes[0], kvwire::sequence_of(frames[1]));
}

TEST(KvPublisher, AFullQueueLeavesAGapInTheNumbers) {
  KvEvents config = free_ports();
  config.max_queue_size = 1;
  config.buffer_steps = 100'000;
  auto publisher = KvPublisher::make(config);
  ASSERT_TRUE(publisher);
  constexpr std::uint64_t kMany = 20'000;
  for (std::uint64_t i = 0; i < kMany; ++i) (*publisher)->publish(removal(i));
  auto context = kvwire::Context::make();
  auto dealer = kvwire::Socket::make(*context, kvwire::Socket::Type::kDealer, {.queue_max = 0});
  ASSERT_TRUE(dealer->connect((*publisher)->replay_endpoint()));
  const std::string from = kvwire::sequence_frame(0);
  const std::array<std::string_view, 2> question = {"", from};
  ASSERT_TRUE(dealer->send(question));
  std::uint64_t heard = 0;
  while (true) {
    const std::vector<std::string> frames = next_message(*dealer);
    ASSERT_EQ(frames.size(), 3U);
    const auto number = kvwire::sequence_of(frames[1]);
    if (number == kvwire::kReplayEnd) break;
    const auto batch = kvwire::decode(frames[2]);
    ASSERT_EQ(std::get<kvwire::BlockRemoved>(batch->events[0]).hashes[0], number);  // none has another's
    ++heard;
  }
  EXPECT_GE(heard, 1U);
  EXPECT_LE(heard, kMany);
}

TEST(KvEventsConfig, VllmsObject) {
  const auto read = parse_kv_events(
      R"({"enable_kv_cache_events": true, "publisher": "zmq", "endpoint": "tcp://*:6000",
          "replay_endpoint": "tcp://*:6001", "buffer_steps": 5, "hwm": 6, "max_queue_size": 7, "topic": "t"})");
  ASSERT_TRUE(read) << describe(read.error());
  EXPECT_TRUE(read->enabled);
  EXPECT_EQ(read->endpoint, "tcp://*:6000");
  EXPECT_EQ(read->replay_endpoint, "tcp://*:6001");
  EXPECT_EQ(read->buffer_steps, 5U);
  EXPECT_EQ(read->hwm, 6U);
  EXPECT_EQ(read->max_queue_size, 7U);
  EXPECT_EQ(read->topic, "t");
  EXPECT_FALSE(parse_kv_events("{}")->enabled);
  EXPECT_FALSE(parse_kv_events(R"({"enable_kv_cache_events": true, "publisher": "null"})")->enabled);
  for (const char* wrong :
       {"", "[]", "1", R"({"enable": true})", R"({"hwm": -1})", R"({"hwm": "1"})",
        R"({"publisher": "kafka"})", R"({"endpoint": 5})", R"({"enable_kv_cache_events": 1})"}) {
    EXPECT_FALSE(parse_kv_events(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace tidegate::serve
