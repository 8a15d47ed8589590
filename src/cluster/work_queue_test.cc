#include "cluster/work_queue.h"

#include <gtest/gtest.h>

namespace tidegate::cluster {
namespace {

using std::chrono::milliseconds;

TimePoint at(int ms) { return TimePoint{} + milliseconds(ms); }
Key key(const char* name) { return {"ns", name}; }

TEST(WorkQueue, HandsOutEachKeyOnceInOrder) {
  WorkQueue queue;
  queue.add(key("b"), at(0));
  queue.add(key("a"), at(0));
  queue.add(key("b"), at(0));
  EXPECT_EQ(queue.waiting(), 2u);
  EXPECT_EQ(queue.take(at(0))->name, "b");
  EXPECT_EQ(queue.take(at(0))->name, "a");
  EXPECT_FALSE(queue.take(at(0)));
}

TEST(WorkQueue, AKeyAddedWhileItIsWorkedOnComesBackOnce) {
  WorkQueue queue;
  queue.add(key("a"), at(0));
  ASSERT_TRUE(queue.take(at(0)));
  queue.add(key("a"), at(0));
  queue.add(key("a"), at(0));
  EXPECT_FALSE(queue.take(at(1)));  // not by two threads at a time
  queue.done(key("a"));
  EXPECT_TRUE(queue.take(at(1)));
  queue.done(key("a"));
  EXPECT_FALSE(queue.take(at(1)));
}

TEST(WorkQueue, AnEarlierTimeWins) {
  WorkQueue queue;
  queue.add(key("a"), at(100));
  queue.add(key("a"), at(10));
  queue.add(key("a"), at(50));
  EXPECT_EQ(queue.next_due(), at(10));
  EXPECT_FALSE(queue.take(at(9)));
  EXPECT_TRUE(queue.take(at(10)));
}

TEST(WorkQueue, FailuresDoubleTheDelayAndSuccessForgetsThem) {
  WorkQueue queue({.first = milliseconds(10), .longest = milliseconds(35)});
  queue.add(key("a"), at(0));
  int now = 0;
  for (const int delay : {10, 20, 35, 35}) {
    ASSERT_TRUE(queue.take(at(now)));
    queue.retry(key("a"), at(now));
    EXPECT_EQ(queue.next_due(), at(now + delay));
    now += delay;
  }
  ASSERT_TRUE(queue.take(at(now)));
  queue.done(key("a"));
  queue.add(key("a"), at(now));
  ASSERT_TRUE(queue.take(at(now)));
  queue.retry(key("a"), at(now));
  EXPECT_EQ(queue.next_due(), at(now + 10));
}

TEST(WorkQueue, AChangeDuringAFailureNeedNotWaitForTheDelay) {
  WorkQueue queue({.first = milliseconds(1000), .longest = milliseconds(1000)});
  queue.add(key("a"), at(0));
  ASSERT_TRUE(queue.take(at(0)));
  queue.add(key("a"), at(5));
  queue.retry(key("a"), at(6));
  EXPECT_EQ(queue.next_due(), at(5));
}

}  // namespace
}  // namespace tidegate::cluster
