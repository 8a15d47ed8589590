#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "gateway/flow/cell.h"
#include "gateway/flow/gate.h"
#include "gateway/flow/ramp.h"

namespace tidegate::flow {
namespace {

constexpr GateLimits kLimits{.first = 32, .waiting = 5, .kv = 0.8F};

struct Started : Gate {
  Started() { start(kLimits); }
};

TEST(Gate, IsOpenUntilSomebodyScrapes) {
  Gate gate;
  EXPECT_TRUE(gate.has_room(1'000'000));
  gate.start(kLimits);
  EXPECT_TRUE(gate.has_room(31));
  EXPECT_FALSE(gate.has_room(32));
  EXPECT_EQ(gate.room(30), 2U);
  gate.open();
  EXPECT_TRUE(gate.has_room(1'000'000));
}

TEST(Gate, DoublesWhileNothingWaits) {
  Started gate;
  gate.observe(0, 0.1F, 32, kLimits);
  EXPECT_EQ(gate.window(), 64U);
  gate.observe(0, 0.1F, 64, kLimits);
  EXPECT_EQ(gate.window(), 128U);
  gate.observe(3, 0.1F, 128, kLimits);  // two places are left in the engine's queue
  EXPECT_EQ(gate.window(), 130U);
}

TEST(Gate, ShrinksToWhatKeepsTheQueueJustFull) {
  Started gate;
  gate.observe(0, 0, 200, kLimits);
  gate.observe(45, 0.5F, 200, kLimits);
  EXPECT_EQ(gate.window(), 160U);  // 40 too many
  EXPECT_FALSE(gate.has_room(160));
  gate.observe(500, 0.5F, 100, kLimits);  // somebody else's
  EXPECT_EQ(gate.window(), 1U);           // never closed
}

TEST(Gate, AFullCacheAddsNothing) {
  Started gate;
  gate.observe(0, 0.9F, 20, kLimits);
  EXPECT_EQ(gate.window(), 20U);
  gate.observe(0, 0.9F, 18, kLimits);
  EXPECT_EQ(gate.window(), 18U);
  gate.observe(0, 0.7F, 18, kLimits);
  EXPECT_EQ(gate.window(), 36U);
}

TEST(Gate, ForgetsWhatIsNotUsed) {
  Started gate;
  gate.observe(0, 0, 1000, kLimits);
  for (int i = 0; i < 1000; ++i) gate.observe(0, 0, 3, kLimits);
  EXPECT_LE(gate.window(), 100U);
  EXPECT_GE(gate.window(), 32U);
}

TEST(Gate, NonsenseOfAPageDoesNotBreakIt) {
  for (const float waiting : {-5.F, 1e30F, std::numeric_limits<float>::quiet_NaN()}) {
    Started gate;
    gate.observe(waiting, std::numeric_limits<float>::quiet_NaN(), 10, kLimits);
    EXPECT_GE(gate.window(), 1U);
  }
}

TEST(Ramp, LetsAFewGoAndThenDoubles) {
  Ramp ramp;
  const TimePoint start{};
  EXPECT_GT(ramp.allowance(start), 1'000'000U);
  ramp.start(start);
  EXPECT_EQ(ramp.allowance(start), 32U);
  ramp.went(32);
  EXPECT_EQ(ramp.allowance(start), 0U);
  EXPECT_EQ(ramp.allowance(start + std::chrono::milliseconds(100)), 32U);
  EXPECT_GE(ramp.allowance(start + std::chrono::seconds(1)), 10'000U);
  EXPECT_GT(ramp.allowance(start + std::chrono::hours(1)), 10'000U);
}

TEST(Cell, BoundsRequestsAndBytesOfEachBand) {
  Cell cell(2);
  const Bounds bounds{2, 100};
  const auto one = cell.queue(0, 40, bounds);
  const auto two = cell.queue(0, 40, bounds);
  ASSERT_TRUE(one && two);
  EXPECT_FALSE(cell.queue(0, 1, bounds));
  EXPECT_TRUE(cell.queue(5, 100, bounds));
  EXPECT_FALSE(cell.queue(6, 101, bounds));
  EXPECT_TRUE(cell.hold(100, bounds));
  EXPECT_EQ(cell.waiting(), 4U);
  cell.leave(*one);
  EXPECT_TRUE(cell.queue(0, 60, bounds));
  EXPECT_FALSE(cell.queue(0, 1, bounds));
  EXPECT_EQ(cell.held().requests, 1U);
  EXPECT_EQ(cell.queued().size(), 3U);
}

TEST(Cell, ManyPrioritiesShareTheLastBand) {
  Cell cell(1);
  for (int priority = 0; priority < 100; ++priority) {
    EXPECT_EQ(cell.queue(priority, 1, {100, 1000}).has_value(), true);
  }
  EXPECT_EQ(cell.queued().size(), Cell::kBands);
  EXPECT_EQ(cell.queued().back().requests, 93U);
}

TEST(Cell, TheHighestOfAllWorkersIsFirst) {
  Cell cell(3);
  EXPECT_EQ(cell.top(), std::nullopt);
  cell.set_top(0, -3);
  cell.set_top(2, 4);
  EXPECT_EQ(cell.top(), 4);
  EXPECT_EQ(cell.waiting_workers(), 2U);
  cell.set_top(2, std::nullopt);
  EXPECT_EQ(cell.top(), -3);
}

TEST(Cell, WorkersAtOnceNeverPassTheBoundAndLeaveNothingBehind) {
  Cell cell(4);
  std::vector<std::jthread> workers;
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  for (int worker = 0; worker < 4; ++worker) {
    workers.emplace_back([&, worker] {
      for (int i = 0; i < 20'000; ++i) {
        const auto place = cell.queue(worker % 2, 10, {2, 1000});
        if (!place) continue;
        if (worker % 2 == 0) most = std::max(most.load(), ++inside);
        cell.set_top(static_cast<std::size_t>(worker), worker % 2);
        if (worker % 2 == 0) --inside;
        cell.leave(*place);
      }
    });
  }
  workers.clear();
  EXPECT_LE(most.load(), 2);
  EXPECT_EQ(cell.waiting(), 0U);
  for (const Cell::Row& row : cell.queued()) {
    EXPECT_EQ(row.requests, 0U);
    EXPECT_EQ(row.bytes, 0U);
  }
}

}  // namespace
}  // namespace tidegate::flow
