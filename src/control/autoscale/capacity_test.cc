#include "control/autoscale/capacity.h"

#include <gtest/gtest.h>

#include <limits>

namespace tidegate::autoscale {
namespace {

using std::chrono::seconds;

constexpr WallTime kBegin{seconds(1'800'000'000)};
constexpr Duration kTarget = seconds(2);

// An engine looked at every second.
struct Watch {
  CapacityModel model;
  WallTime now = kBegin;

  void see(const EngineView& view, int times) {
    for (int i = 0; i < times; ++i) {
      model.learn("a", view, kTarget, now);
      now += seconds(1);
    }
  }
  double capacity() const { return model.capacity().value_or(-1); }
};

TEST(Capacity, NothingIsKnownOfIdleEngines) {
  Watch watch;
  watch.see({.running = 0, .waiting = 0, .kv_usage = 0.5}, 1000);
  EXPECT_EQ(watch.model.capacity(), std::nullopt);
  watch.see({.running = 1, .waiting = 0, .kv_usage = 0.001}, 10);
  EXPECT_EQ(watch.capacity(), 8) << "where the search begins";
}

TEST(Capacity, MomentaryWaitsAreNoLimit) {
  Watch watch;
  for (int i = 0; i < 400; ++i) {
    watch.see({.running = 3, .waiting = 1, .kv_usage = 0.01}, 2);  // shorter than the target
    watch.see({.running = 4, .waiting = 0, .kv_usage = 0.01}, 1);
  }
  EXPECT_EQ(watch.capacity(), 8);
}

TEST(Capacity, GoesOnFromWhatIsProvenByAQuarter) {
  Watch watch;
  watch.see({.running = 8, .waiting = 0, .kv_usage = 0.01}, 59);
  EXPECT_EQ(watch.capacity(), 8) << "not long enough";
  watch.see({.running = 8, .waiting = 0, .kv_usage = 0.01}, 5);
  // What was seen of 8 proves 10 too: 8 is within a quarter of it.
  EXPECT_EQ(watch.capacity(), 12);
  watch.see({.running = 20, .waiting = 0, .kv_usage = 0.01}, 70);
  EXPECT_EQ(watch.capacity(), 32);
}

TEST(Capacity, StopsWhereTheQueueStays) {
  Watch watch;
  watch.see({.running = 8, .waiting = 0, .kv_usage = 0.01}, 300);
  watch.see({.running = 11, .waiting = 1, .kv_usage = 0.01}, 20);
  EXPECT_EQ(watch.capacity(), 11) << "12 were too many";
}

TEST(Capacity, WhatIsProvenProvesLess) {
  Watch watch;
  // A burst of long prompts at three; twelve are well served for an hour.
  watch.see({.running = 2, .waiting = 1, .kv_usage = 0.01}, 10);
  EXPECT_EQ(watch.capacity(), 2);
  watch.see({.running = 12, .waiting = 0, .kv_usage = 0.01}, 600);
  EXPECT_GE(watch.capacity(), 12);
}

TEST(Capacity, ARefusalFades) {
  Watch watch;
  watch.see({.running = 2, .waiting = 1, .kv_usage = 0.01}, 5);
  EXPECT_EQ(watch.capacity(), 2);
  watch.see({.running = 1, .waiting = 0, .kv_usage = 0.01}, 6 * 3600);
  EXPECT_EQ(watch.capacity(), 8);
}

TEST(Capacity, OfTheCache) {
  struct Row {
    double running, kv, expected;
    const char* why;
  };
  const Row rows[] = {
      {10, 1, 5.367, "10 fill it: 5.4 and twice their root"},
      {1, .5, 1, "two fill it, and one there must be"},
      {2, .04, 8, "fifty fill it; the other bound is lower"},
  };
  for (const Row& row : rows) {
    Watch watch;
    watch.see({.running = row.running, .waiting = 0, .kv_usage = row.kv}, 30);
    EXPECT_NEAR(watch.capacity(), row.expected, .01) << row.why;
  }
}

TEST(Capacity, WhatIsNonsenseHarmsNothing) {
  Watch watch;
  watch.see({.running = 1e300, .waiting = 1e300, .kv_usage = -5}, 100);
  watch.see({.running = std::numeric_limits<double>::quiet_NaN(), .waiting = 0, .kv_usage = 2}, 10);
  watch.see({.running = -4, .waiting = -4, .kv_usage = 1e9}, 10);
  ASSERT_TRUE(watch.model.capacity());
  EXPECT_GE(watch.capacity(), 1);
  EXPECT_LE(watch.capacity(), 512);
  watch.model.learn("a", {1, 0, 0}, kTarget, kBegin);  // a clock that went back
  EXPECT_GE(watch.capacity(), 1);
}

}  // namespace
}  // namespace tidegate::autoscale
