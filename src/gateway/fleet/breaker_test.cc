#include "gateway/fleet/breaker.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace tidegate::fleet {
namespace {

using std::chrono::seconds;
using State = Breaker::State;

TimePoint at(int s) { return TimePoint{} + seconds(1000 + s); }

const BreakerLimits kLimits;

void open(Breaker& breaker, int s) {
  for (std::uint32_t i = 0; i < kLimits.failures_in_row; ++i) breaker.failed(at(s), kLimits);
}

TEST(Breaker, FailuresInARowOpenIt) {
  Breaker breaker;
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(breaker.failed(at(0), kLimits));
  EXPECT_FALSE(breaker.blocks(at(0)));
  EXPECT_TRUE(breaker.failed(at(0), kLimits));
  EXPECT_TRUE(breaker.blocks(at(0)));
  EXPECT_EQ(breaker.state(at(4)), State::kOpen);
  EXPECT_EQ(breaker.state(at(5)), State::kHalfOpen);
  EXPECT_EQ(breaker.openings(), 1U);
}

TEST(Breaker, ASuccessBetweenBeginsTheRowAnew) {
  Breaker breaker;
  for (int i = 0; i < 100; ++i) {  // a fifth fails: no reason to leave
    for (int ok = 0; ok < 4; ++ok) breaker.succeeded(at(i));
    EXPECT_FALSE(breaker.failed(at(i), kLimits)) << i;
  }
}

TEST(Breaker, MostOfTheLatestFailingOpensIt) {
  Breaker breaker;
  Random random(3);
  int opened_after = 0;
  while (!breaker.blocks(at(0)) && ++opened_after < 1000) {
    if (random.below(10) < 7) {
      breaker.failed(at(0), {.failures_in_row = 1000});
    } else {
      breaker.succeeded(at(0));
    }
  }
  EXPECT_LT(opened_after, 100);
}

TEST(Breaker, OneProbeAtATimeDecides) {
  Breaker breaker;
  open(breaker, 0);
  EXPECT_FALSE(breaker.blocks(at(6)));
  breaker.sent(at(6), kLimits);
  EXPECT_TRUE(breaker.blocks(at(7)));
  EXPECT_FALSE(breaker.blocks(at(12)));  // a probe that nobody heard of blocks no longer
  EXPECT_TRUE(breaker.succeeded(at(7)));
  EXPECT_EQ(breaker.state(at(7)), State::kClosed);
  EXPECT_FALSE(breaker.blocks(at(7)));
}

TEST(Breaker, EachOpeningInARowDoublesThePause) {
  Breaker breaker;
  open(breaker, 0);
  int now = 0;
  for (const int pause : {5, 10, 20, 40, 80, 120, 120}) {
    EXPECT_EQ(breaker.state(at(now + pause - 1)), State::kOpen) << pause;
    now += pause;
    EXPECT_EQ(breaker.state(at(now)), State::kHalfOpen) << pause;
    EXPECT_TRUE(breaker.failed(at(now), kLimits));
  }
  now += 120;
  EXPECT_TRUE(breaker.succeeded(at(now)));
  open(breaker, now);
  EXPECT_EQ(breaker.state(at(now + 5)), State::kHalfOpen);  // all is forgiven
}

TEST(Breaker, WhatCameLateWhileItIsOpenChangesNothing) {
  Breaker breaker;
  open(breaker, 0);
  EXPECT_FALSE(breaker.succeeded(at(1)));
  EXPECT_FALSE(breaker.failed(at(1), kLimits));
  EXPECT_EQ(breaker.state(at(4)), State::kOpen);
  EXPECT_EQ(breaker.state(at(5)), State::kHalfOpen);
}

TEST(Breaker, ItCanBeSwitchedOff) {
  Breaker breaker;
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(breaker.failed(at(0), {.failures_in_row = 0}));
}

}  // namespace
}  // namespace tidegate::fleet
