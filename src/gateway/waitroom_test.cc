#include "gateway/waitroom.h"

#include <gtest/gtest.h>

#include "net/task.h"

namespace tidegate::gateway {
namespace {

using std::chrono::milliseconds;

// A pool of one engine, its waiting requests, and a loop that runs while somebody waits.
class WaitroomTest : public ::testing::Test {
 protected:
  std::shared_ptr<const View> view(bool with_endpoint) {
    auto made = std::make_shared<View>();
    PoolView pool;
    pool.service = "pool.default";
    pool.flow = cell;
    if (with_endpoint) pool.endpoints.push_back(live);
    made->pools.push_back(pool);
    return made;
  }

  net::Task<void> client(std::string name, std::int32_t priority, Duration patience) {
    const auto place = cell->queue(priority, 1, {1000, 1000});
    EXPECT_TRUE(place);
    Waiter waiter;
    room.enter(waiter, cell, {.priority = priority, .tenant = {}, .deadline = loop.now() + patience}, *place);
    waiters[name] = &waiter;
    const Wake wake = co_await room.wait(waiter);
    waiters.erase(name);
    if (wake == Wake::kGo) {
      live->cell().dispatch();
      room.settle({cell.get(), waiter.id}, 1);
    }
    log.push_back(name + (wake == Wake::kGo         ? " goes"
                          : wake == Wake::kLate     ? " is late"
                          : wake == Wake::kLeft     ? " left"
                          : wake == Wake::kPoolGone ? " has no pool"
                                                    : " is stopped"));
    if (group.running() == 1) loop.stop();
  }

  void at(Duration when, std::function<void()> what) {
    timers.push_back(std::make_unique<net::Timer>(loop, std::move(what)));
    timers.back()->arm(loop.now() + when);
  }
  void start(std::function<void()> what) { loop.post(std::move(what)); }

  net::Loop loop;
  admit::Limits limits;
  std::shared_ptr<flow::Cell> cell = std::make_shared<flow::Cell>(2);
  std::shared_ptr<fleet::Live> live =
      std::make_shared<fleet::Live>("pool 127.0.0.1:8000", *net::Address::parse("127.0.0.1:8000"), 4);
  std::map<std::string, Waiter*> waiters;
  std::vector<std::unique_ptr<net::Timer>> timers;
  net::TaskGroup group;
  Waitroom room{loop, 0, limits};
  std::vector<std::string> log;
};

TEST_F(WaitroomTest, AFirstEndpointLetsThemGoByPriority) {
  start([&] {
    room.set(view(false));
    group.spawn(client("one", 0, std::chrono::seconds(5)));
    group.spawn(client("two", 5, std::chrono::seconds(5)));
    at(milliseconds(20), [&] {
      EXPECT_TRUE(log.empty());
      room.set(view(true));
    });
  });
  loop.run();
  EXPECT_EQ(log, (std::vector<std::string>{"two goes", "one goes"}));
  EXPECT_EQ(cell->waiting(), 0U);
}

TEST_F(WaitroomTest, RoomIsSeenWithoutBeingTold) {
  live->gate().start({.first = 1});
  const auto ticket = live->cell().dispatch();
  start([&] {
    room.set(view(true));
    group.spawn(client("one", 0, std::chrono::seconds(5)));
    group.spawn(client("two", 0, milliseconds(60)));
    at(milliseconds(20), [&] { live->cell().finish(ticket); });
  });
  loop.run();
  EXPECT_EQ(log, (std::vector<std::string>{"one goes", "two is late"}));
  EXPECT_EQ(cell->waiting(), 0U);
}

TEST_F(WaitroomTest, AnotherWorkersHigherPriorityGoesFirst) {
  cell->set_top(1, 9);
  start([&] {
    room.set(view(true));
    group.spawn(client("one", 0, milliseconds(200)));
    at(milliseconds(30), [&] {
      EXPECT_TRUE(log.empty());
      cell->set_top(1, std::nullopt);
    });
  });
  loop.run();
  EXPECT_EQ(log, std::vector<std::string>{"one goes"});
}

TEST_F(WaitroomTest, LeavingADeletedPoolAndStoppingEndTheWait) {
  start([&] {
    room.set(view(false));
    group.spawn(client("one", 0, std::chrono::seconds(5)));
    group.spawn(client("two", 0, std::chrono::seconds(5)));
    at(milliseconds(5), [&] { room.leave(*waiters["one"]); });
    at(milliseconds(10), [&] { room.set(std::make_shared<const View>()); });
  });
  loop.run();
  EXPECT_EQ(log, (std::vector<std::string>{"one left", "two has no pool"}));
  log.clear();
  start([&] {
    room.set(view(false));
    group.spawn(client("three", 0, std::chrono::seconds(5)));
    room.stop();
  });
  loop.run();
  EXPECT_EQ(log, std::vector<std::string>{"three is stopped"});
  EXPECT_EQ(cell->waiting(), 0U);
}

}  // namespace
}  // namespace tidegate::gateway
