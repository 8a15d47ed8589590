#include "gateway/pick/endpoint.h"

#include <gtest/gtest.h>

#include <thread>

namespace tidegate::pick {
namespace {

TimePoint at(std::int64_t ms) { return TimePoint{} + std::chrono::milliseconds(ms); }

TEST(EndpointCell, CountsWhatTheScrapeCannotShow) {
  EndpointCell cell;
  const auto early = cell.dispatch();
  EXPECT_EQ(cell.facts(kNoAdapter, at(0)).unseen, 1U);

  const auto mark = cell.mark();
  const auto during = cell.dispatch();  // while the page is on its way
  cell.publish({3, 2, 0.5F}, mark, at(10));
  EndpointFacts facts = cell.facts(kNoAdapter, at(30));
  EXPECT_EQ(facts.in_flight, 2U);
  EXPECT_EQ(facts.unseen, 1U);
  EXPECT_FLOAT_EQ(facts.waiting, 3);
  EXPECT_FLOAT_EQ(facts.running, 2);
  EXPECT_FLOAT_EQ(facts.kv_usage, 0.5F);
  EXPECT_NEAR(facts.age_s, 0.02, 1e-6);

  cell.finish(early);  // the page showed it: nothing unseen goes
  EXPECT_EQ(cell.facts(kNoAdapter, at(30)).unseen, 1U);
  cell.finish(during);
  EXPECT_EQ(cell.facts(kNoAdapter, at(30)).unseen, 0U);
  EXPECT_EQ(cell.in_flight(), 0U);
}

TEST(EndpointCell, WithoutAScrapeTheAgeIsInfinite) {
  EndpointCell cell;
  EXPECT_EQ(cell.facts(kNoAdapter, at(0)).age_s, std::numeric_limits<float>::infinity());
}

TEST(EndpointCell, HealthAndDrainingShow) {
  EndpointCell cell(2);
  cell.set_healthy(false);
  cell.set_draining(true);
  cell.residency().touch(5, at(1));
  const EndpointFacts facts = cell.facts(5, at(1));
  EXPECT_FALSE(facts.healthy);
  EXPECT_TRUE(facts.draining);
  EXPECT_EQ(facts.adapter, AdapterPlace::kResident);
}

// Workers and the scraper at once: whatever the interleaving, nothing leaks and nothing goes negative.
TEST(EndpointCell, CountsAddUpUnderThreads) {
  EndpointCell cell;
  std::atomic<bool> stop{false};
  std::thread scraper([&] {
    for (int i = 0; !stop; ++i) cell.publish({0, 0, 0}, cell.mark(), at(i));
  });
  std::vector<std::thread> workers;
  for (int w = 0; w < 3; ++w) {
    workers.emplace_back([&cell, w] {
      for (int i = 0; i < 20'000; ++i) {
        const auto ticket = cell.dispatch();
        cell.residency().touch(static_cast<AdapterId>(1 + (i + w) % 7), at(i));
        const EndpointFacts facts = cell.facts(3, at(i));
        ASSERT_LE(facts.unseen, facts.in_flight);
        ASSERT_LE(facts.in_flight, 3U);
        cell.finish(ticket);
      }
    });
  }
  for (auto& worker : workers) worker.join();
  stop = true;
  scraper.join();
  EXPECT_EQ(cell.in_flight(), 0U);
  EXPECT_EQ(cell.facts(kNoAdapter, at(0)).unseen, 0U);
}

}  // namespace
}  // namespace tidegate::pick
