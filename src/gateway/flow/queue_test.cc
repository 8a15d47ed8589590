#include "gateway/flow/queue.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/random.h"

namespace tidegate::flow {
namespace {

using std::chrono::seconds;

TimePoint at(int s) { return TimePoint(seconds(s)); }

std::vector<Queue::Id> drain(Queue& queue) {
  std::vector<Queue::Id> order;
  while (const auto id = queue.pop()) order.push_back(*id);
  return order;
}

TEST(Queue, HigherPrioritiesGoFirstAndEqualsInOrder) {
  Queue queue;
  const auto low = queue.push({.priority = -1, .tenant = "a"});
  const auto first = queue.push({.priority = 0, .tenant = "a"});
  const auto second = queue.push({.priority = 0, .tenant = "a"});
  const auto high = queue.push({.priority = 7, .tenant = "a"});
  EXPECT_EQ(queue.top(), 7);
  EXPECT_EQ(drain(queue), (std::vector<Queue::Id>{high, first, second, low}));
  EXPECT_EQ(queue.top(), std::nullopt);
}

TEST(Queue, ATenantWithManyRequestsDoesNotDelayOneWithFew) {
  Queue queue;
  for (int i = 0; i < 1000; ++i) queue.push({.tenant = "loud"});
  const auto quiet = queue.push({.tenant = "quiet"});
  queue.pop();
  EXPECT_EQ(queue.pop(), quiet);
}

TEST(Queue, CostIsSharedNotRequests) {
  Queue queue;
  std::map<Queue::Id, std::string> owner;
  for (int i = 0; i < 300; ++i) owner[queue.push({.tenant = "large", .cost = 3000})] = "large";
  for (int i = 0; i < 300; ++i) owner[queue.push({.tenant = "small", .cost = 1000})] = "small";
  std::map<std::string, int> served;
  for (int i = 0; i < 100; ++i) ++served[owner[*queue.pop()]];
  EXPECT_NEAR(served["small"], 75, 2);
  EXPECT_NEAR(served["large"], 25, 2);
}

TEST(Queue, TimeOverAndLeavingFreeThePlace) {
  Queue queue;
  const auto late = queue.push({.tenant = "a", .deadline = at(5)});
  const auto left = queue.push({.tenant = "a", .deadline = at(9)});
  const auto stays = queue.push({.tenant = "a"});
  EXPECT_EQ(queue.next_deadline(), at(5));
  EXPECT_EQ(queue.pop_late(at(4)), std::nullopt);
  EXPECT_EQ(queue.pop_late(at(5)), late);
  EXPECT_TRUE(queue.erase(left));
  EXPECT_FALSE(queue.erase(left));
  EXPECT_EQ(queue.next_deadline(), TimePoint::max());
  EXPECT_EQ(drain(queue), std::vector<Queue::Id>{stays});
}

TEST(Queue, ATenantWhoseClientsLeftOwesNothing) {
  Queue queue;
  std::vector<Queue::Id> gone;
  queue.push({.tenant = "b"});
  for (int i = 0; i < 500; ++i) gone.push_back(queue.push({.tenant = "a"}));
  for (const auto id : gone) queue.erase(id);
  for (int i = 0; i < 3; ++i) queue.push({.tenant = "b"});
  const auto back = queue.push({.tenant = "a"});
  queue.pop();
  EXPECT_EQ(queue.pop(), back);
}

// Whatever happens, in any order: what went in comes out once, never a lower priority before a higher one,
// and two tenants that always wait never drift apart by more than one request each.
TEST(Queue, PropertiesHoldForRandomHistories) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    Queue queue;
    std::map<Queue::Id, std::pair<int, TimePoint>> inside;
    std::size_t in = 0, out = 0;
    for (int step = 0; step < 2000; ++step) {
      const TimePoint now = at(step);
      const std::uint64_t what = random.next() % 10;
      if (what < 5) {
        const int priority = static_cast<int>(random.next() % 3) - 1;
        const std::string tenant(1, static_cast<char>('a' + random.next() % 4));
        const TimePoint deadline =
            random.next() % 2 ? TimePoint::max() : at(step + static_cast<int>(random.next() % 100));
        const auto id = queue.push({priority, tenant, static_cast<double>(random.next() % 5000), deadline});
        EXPECT_TRUE(inside.emplace(id, std::pair(priority, deadline)).second);
        ++in;
      } else if (what < 7) {
        const auto id = queue.pop();
        ASSERT_EQ(id.has_value(), !inside.empty());
        if (!id) continue;
        for (const auto& [other, facts] : inside) ASSERT_LE(facts.first, inside.at(*id).first);
        out += inside.erase(*id);
      } else if (what < 9) {
        while (const auto id = queue.pop_late(now)) {
          ASSERT_LE(inside.at(*id).second, now);
          out += inside.erase(*id);
        }
        for (const auto& [id, facts] : inside) ASSERT_GT(facts.second, now);
      } else if (!inside.empty()) {
        auto some = inside.begin();
        std::advance(some, random.next() % inside.size());
        ASSERT_TRUE(queue.erase(some->first));
        inside.erase(some);
        ++out;
      }
      ASSERT_EQ(queue.size(), inside.size());
      ASSERT_EQ(queue.top().has_value(), !inside.empty());
    }
    out += drain(queue).size();
    EXPECT_EQ(in, out) << "seed " << seed;
  }
}

TEST(Queue, BackloggedTenantsShareWithinOneRequest) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    Queue queue;
    std::map<Queue::Id, std::pair<int, double>> inside;
    double served[3] = {};
    constexpr double kMost = 4000;
    const auto push = [&](int tenant) {
      const double cost = 1 + static_cast<double>(random.next() % static_cast<std::uint64_t>(kMost));
      inside[queue.push({.tenant = std::to_string(tenant), .cost = cost})] = {tenant, cost};
    };
    for (int tenant = 0; tenant < 3; ++tenant) {
      for (int i = 0; i <= tenant * 20; ++i) push(tenant);
    }
    for (int step = 0; step < 1000; ++step) {
      const auto [tenant, cost] = inside.at(*queue.pop());
      served[tenant] += cost;
      push(tenant);
      for (int a = 0; a < 3; ++a) {
        for (int b = 0; b < 3; ++b) ASSERT_LE(served[a] - served[b], 2 * kMost) << "seed " << seed;
      }
    }
  }
}

}  // namespace
}  // namespace tidegate::flow
