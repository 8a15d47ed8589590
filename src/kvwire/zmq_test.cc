#include "kvwire/zmq.h"

#include <gtest/gtest.h>

#include <array>

namespace tidegate::kvwire {
namespace {

using namespace std::chrono_literals;

TEST(Zmq, ASubscriberHearsAPublisherAndADealerARouter) {
  auto context = Context::make();
  ASSERT_TRUE(context) << describe(context.error());
  auto publish = Socket::make(*context, Socket::Type::kPublish, {});
  ASSERT_TRUE(publish);
  ASSERT_TRUE(publish->bind("tcp://127.0.0.1:*"));
  auto subscribe = Socket::make(*context, Socket::Type::kSubscribe, {});
  ASSERT_TRUE(subscribe->connect(publish->endpoint()));
  subscribe->subscribe("kv");
  std::vector<std::string> frames;
  std::vector<bool> readable;
  // Until the subscription has arrived nothing does.
  for (int i = 0; i < 2000 && frames.empty(); ++i) {
    const std::array<std::string_view, 3> sent = {"kv@a", "12345678", "payload"};
    publish->send(sent);
    const Socket* const one = &*subscribe;
    poll({&one, 1}, -1, 5ms, readable);
    subscribe->receive(frames);
  }
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(frames[0], "kv@a");
  EXPECT_EQ(frames[2], "payload");

  auto router = Socket::make(*context, Socket::Type::kRouter, {});
  ASSERT_TRUE(router->bind("tcp://127.0.0.1:*"));
  auto dealer = Socket::make(*context, Socket::Type::kDealer, {});
  ASSERT_TRUE(dealer->connect(router->endpoint()));
  const std::array<std::string_view, 2> question = {"", "8"};
  ASSERT_TRUE(dealer->send(question));
  const Socket* const asked = &*router;
  ASSERT_TRUE(poll({&asked, 1}, -1, 10s, readable));
  ASSERT_TRUE(router->receive(frames));
  ASSERT_EQ(frames.size(), 3U);
  const std::array<std::string_view, 3> answer = {frames[0], "", "yes"};
  ASSERT_TRUE(router->send(answer));
  const Socket* const waiting = &*dealer;
  ASSERT_TRUE(poll({&waiting, 1}, -1, 10s, readable));
  ASSERT_TRUE(dealer->receive(frames));
  EXPECT_EQ(frames.back(), "yes");
}

TEST(Zmq, WhatCannotBeBoundSaysWhy) {
  auto context = Context::make();
  ASSERT_TRUE(context);
  auto socket = Socket::make(*context, Socket::Type::kPublish, {});
  const auto bound = socket->bind("nonsense");
  ASSERT_FALSE(bound);
  EXPECT_NE(bound.error().message.find("nonsense"), std::string::npos);
}

}  // namespace
}  // namespace tidegate::kvwire
