#include "control/externalgrpc/workers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>

namespace tidegate::externalgrpc {

// A module without a network: its talk is what the test says.
struct Session {
  std::atomic<bool> cancelled{false};
};

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::function<void(Session&, const Order&, Answer&)> talk;
std::atomic<int> open_now{0};
std::atomic<int> cleaned_up{0};

const Module kModule = {
    [](const Service&) {
      ++open_now;
      return new Session;
    },
    [](Session* session, const Order& order, Answer& answer) { talk(*session, order, answer); },
    [](Session*) { ++cleaned_up; }, [](Session* session) { session->cancelled = true; },
    [](Session* session) {
      --open_now;
      delete session;
    }};

const WallTime kStart = WallTime{} + std::chrono::hours(1000);

bool eventually(const std::function<bool()>& holds) {
  for (int i = 0; i < 3000 && !holds(); ++i) std::this_thread::sleep_for(milliseconds(10));
  return holds();
}

std::map<std::string, Setting> pools(const std::string& address = "a:1") {
  Setting setting;
  setting.service.address = address;
  return {{"gpu", setting}};
}

TEST(Workers, ReadsOnceInARefreshAndKeepsDetails) {
  std::atomic<int> turns{0};
  std::atomic<int> details{0};
  talk = [&](Session&, const Order& order, Answer& answer) {
    ++turns;
    if (order.details) {
      ++details;
      answer.group.gpu_label = "gpu";
    }
    answer.group.max = 3;
  };
  Workers workers(&kModule);
  workers.keep(pools());
  EXPECT_FALSE(workers.views()["gpu"].heard());
  workers.look({}, kStart);
  ASSERT_TRUE(eventually([&] { return workers.views()["gpu"].settled(); }));
  EXPECT_EQ(workers.look({}, kStart + seconds(4)), Duration(seconds(6)));
  workers.look({}, kStart + seconds(10));
  ASSERT_TRUE(eventually([&] { return workers.views()["gpu"].seen == kStart + seconds(10); }));
  EXPECT_EQ(turns, 2);
  EXPECT_EQ(details, 1);
  EXPECT_EQ(workers.views()["gpu"].group.gpu_label, "gpu");
}

TEST(Workers, ErrorsAndImpossibleAnswersKeepWhatWasSeen) {
  std::atomic<std::int64_t> target{2};
  std::atomic<bool> away{false};
  talk = [&](Session&, const Order& order, Answer& answer) {
    if (away) answer.error = "away";
    if (order.grow > 0) answer.grow_error = "no stock";
    answer.group.max = 3;
    answer.group.target = target;
  };
  Workers workers(&kModule);
  workers.keep(pools());
  workers.look({}, kStart);
  ASSERT_TRUE(eventually([&] { return workers.views()["gpu"].settled(); }));
  target = -7;
  Order more;
  more.grow = 1;
  workers.order("gpu", more, kStart + seconds(1));
  ASSERT_TRUE(eventually([&] { return !workers.views()["gpu"].busy; }));
  View view = workers.views()["gpu"];
  EXPECT_FALSE(view.settled());
  EXPECT_NE(view.error.find("target size of -7"), std::string::npos) << view.error;
  EXPECT_EQ(view.group.target, 2);
  EXPECT_EQ(view.grow_failed, kStart + seconds(1));
  EXPECT_EQ(view.grow_error, "no stock");
  away = true;
  workers.look({}, kStart + seconds(20));
  ASSERT_TRUE(eventually([&] { return workers.views()["gpu"].error == "away"; }));
  away = false;
  target = 2;
  workers.look({}, kStart + seconds(40));
  ASSERT_TRUE(eventually([&] { return workers.views()["gpu"].settled(); }));
}

TEST(Workers, ASlowServiceKeepsNobodyWaitingAndIsLeftAtOnce) {
  talk = [](Session& session, const Order&, Answer& answer) {
    eventually([&] { return session.cancelled.load(); });
    answer.error = "cancelled";
  };
  const TimePoint before = SystemClock().now();
  {
    Workers workers(&kModule);
    workers.keep(pools());
    workers.look({}, kStart);
    EXPECT_TRUE(workers.views()["gpu"].busy);
    workers.keep(pools("b:2"));  // another service: the old one is left
    EXPECT_FALSE(workers.views()["gpu"].busy);
    EXPECT_EQ(open_now, 1);
    cleaned_up = 0;
  }
  EXPECT_LT(SystemClock().now() - before, seconds(20));
  EXPECT_EQ(open_now, 0);
  EXPECT_EQ(cleaned_up, 1);
}

}  // namespace
}  // namespace tidegate::externalgrpc
