#include "telemetry/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

namespace tidegate::telemetry {
namespace {

bool has_line(const std::string& document, const std::string& line) {
  return ("\n" + document).find("\n" + line + "\n") != std::string::npos;
}

TEST(Counter, ShardsAddUpAtScrape) {
  Registry registry(3);
  CounterFamily& family = registry.counter("requests_total", "Requests.", {"model"});
  family.with(0, {"a"}).add();
  family.with(1, {"a"}).add(10);
  family.with(2, {"b"}).add(5);
  const std::string page = registry.scrape(Format::kText);
  EXPECT_TRUE(has_line(page, "requests_total{model=\"a\"} 11")) << page;
  EXPECT_TRUE(has_line(page, "requests_total{model=\"b\"} 5")) << page;
}

TEST(Counter, ShowsAtZeroBeforeItsFirstEvent) {
  Registry registry(1);
  registry.counter("errors_total", "Errors.").with(0);
  EXPECT_TRUE(has_line(registry.scrape(Format::kText), "errors_total 0"));
}

TEST(Counter, TwoHandlesOfOneLabelSetShareTheirNumber) {
  Registry registry(1);
  CounterFamily& family = registry.counter("x_total", "X.", {"l"});
  Counter first = family.with(0, {"v"});
  family.with(0, {"v"}).add(2);
  first.add();
  EXPECT_EQ(first.value(), 3u);
}

TEST(Counter, HandleWithoutFamilyDropsWhatItIsGiven) {
  Counter counter;
  counter.add();
  EXPECT_EQ(counter.value(), 0u);
  Gauge gauge;
  gauge.set(1);
  Histogram histogram;
  histogram.observe(1);
  EXPECT_EQ(histogram.count(), 0u);
}

TEST(Counter, FamilyAskedTwiceIsTheSame) {
  Registry registry(1);
  CounterFamily& family = registry.counter("x_total", "X.", {"l"});
  EXPECT_EQ(&registry.counter("x_total", "X.", {"l"}), &family);
  family.with(0, {"v"}).add();
  registry.counter("x_total", "X.", {"l"}).with(0, {"v"}).add();
  const std::string page = registry.scrape(Format::kText);
  EXPECT_TRUE(has_line(page, "x_total{l=\"v\"} 2"));
  EXPECT_EQ(page.find("# TYPE x_total"), page.rfind("# TYPE x_total"));
}

TEST(CounterDeathTest, FamilyAskedTwiceWithOtherLabelsIsAMistake) {
  Registry registry(1);
  registry.counter("x_total", "X.", {"l"});
  EXPECT_DEATH(registry.counter("x_total", "X.", {"m"}), "check failed");
  EXPECT_DEATH(registry.gauge("x_total", "X.", {"l"}), "check failed");
  EXPECT_DEATH(registry.counter("not a name", "X."), "check failed");
}

TEST(Gauge, WorkersAddAndSubtractWhatTheyHold) {
  Registry registry(2);
  GaugeFamily& family = registry.gauge("in_flight", "In flight.");
  Gauge first = family.with(0);
  Gauge second = family.with(1);
  first.add(3);
  second.add(4);
  first.add(-1);
  EXPECT_TRUE(has_line(registry.scrape(Format::kText), "in_flight 6"));
  second.set(0.5);
  EXPECT_TRUE(has_line(registry.scrape(Format::kText), "in_flight 2.5"));
}

TEST(Histogram, AValueOnABoundBelongsToIt) {
  Registry registry(1);
  Histogram histogram = registry.histogram("t_seconds", "T.", {0.1, 1, 10}).with(0);
  for (const double value : {0.05, 0.1, 0.11, 1.0, 1.01, 10.0, 11.0, -1.0}) histogram.observe(value);
  const std::string page = registry.scrape(Format::kText);
  EXPECT_TRUE(has_line(page, "t_seconds_bucket{le=\"0.1\"} 3")) << page;
  EXPECT_TRUE(has_line(page, "t_seconds_bucket{le=\"1.0\"} 5")) << page;
  EXPECT_TRUE(has_line(page, "t_seconds_bucket{le=\"10.0\"} 7")) << page;
  EXPECT_TRUE(has_line(page, "t_seconds_bucket{le=\"+Inf\"} 8")) << page;
  EXPECT_TRUE(has_line(page, "t_seconds_count 8")) << page;
  EXPECT_EQ(histogram.count(), 8u);
}

TEST(Histogram, InfinityFallsIntoTheLastBucketAndNaNIsRefused) {
  Registry registry(1);
  Histogram histogram = registry.histogram("t", "T.", {1}).with(0);
  histogram.observe(std::nan(""));
  EXPECT_EQ(histogram.count(), 0u);
  histogram.observe(std::numeric_limits<double>::infinity());
  const std::string page = registry.scrape(Format::kText);
  EXPECT_TRUE(has_line(page, "t_bucket{le=\"1.0\"} 0"));
  EXPECT_TRUE(has_line(page, "t_sum +Inf"));
  EXPECT_TRUE(has_line(page, "t_count 1"));
}

TEST(HistogramDeathTest, BoundsMustAscend) {
  Registry registry(1);
  EXPECT_DEATH(registry.histogram("h1", "H.", {1, 1}), "check failed");
  EXPECT_DEATH(registry.histogram("h2", "H.", {2, 1}), "check failed");
  EXPECT_DEATH(registry.histogram("h3", "H.", {std::numeric_limits<double>::infinity()}), "check failed");
}

TEST(Family, BeyondItsLimitLabelSetsFoldIntoOther) {
  Registry registry(1);
  CounterFamily& family = registry.counter("m_total", "M.", {"model"}, {.label_sets_max = 2});
  family.with(0, {"a"}).add();
  family.with(0, {"b"}).add();
  family.with(0, {"c"}).add();
  family.with(0, {"d"}).add();
  family.with(0, {"a"}).add();  // known ones never fold
  const std::string page = registry.scrape(Format::kText);
  EXPECT_TRUE(has_line(page, "m_total{model=\"a\"} 2")) << page;
  EXPECT_TRUE(has_line(page, "m_total{model=\"other\"} 2")) << page;
  EXPECT_EQ(page.find("\"c\""), std::string::npos);
  EXPECT_EQ(family.size(), 3u);
  EXPECT_TRUE(has_line(page, "tidegate_telemetry_folded_label_sets_total{family=\"m_total\"} 2")) << page;
}

TEST(Family, OnlyTheNamedLabelsFoldUntilTwiceTheLimit) {
  Registry registry(1);
  CounterFamily& family =
      registry.counter("m_total", "M.", {"model", "code"}, {.label_sets_max = 2, .folds = {"model"}});
  for (const char* code : {"1", "2", "3", "4", "5", "6"}) family.with(0, {code, code});
  const std::string page = registry.scrape(Format::kText);
  EXPECT_TRUE(has_line(page, "m_total{model=\"other\",code=\"3\"} 0")) << page;
  EXPECT_TRUE(has_line(page, "m_total{model=\"other\",code=\"other\"} 0")) << page;
  EXPECT_EQ(family.size(), 5u);
}

TEST(Family, RemovedLabelSetIsGoneAndItsHandlesStaySafe) {
  Registry registry(2);
  CounterFamily& family = registry.counter("e_total", "E.", {"endpoint", "model"});
  Counter old = family.with(0, {"10.0.0.1:8000", "a"});
  family.with(1, {"10.0.0.1:8000", "b"}).add();
  family.with(1, {"10.0.0.2:8000", "a"}).add();
  EXPECT_EQ(family.remove_where("endpoint", "10.0.0.1:8000"), 2u);
  EXPECT_FALSE(family.remove({"10.0.0.1:8000", "a"}));
  old.add(100);
  // Memory of a removed set is used again, but not while a handle still writes it.
  Counter fresh = family.with(0, {"10.0.0.1:8000", "a"});
  EXPECT_EQ(fresh.value(), 0u);
  old.add(100);
  EXPECT_EQ(fresh.value(), 0u);
  const std::string page = registry.scrape(Format::kText);
  EXPECT_TRUE(has_line(page, "e_total{endpoint=\"10.0.0.1:8000\",model=\"a\"} 0")) << page;
  EXPECT_TRUE(has_line(page, "e_total{endpoint=\"10.0.0.2:8000\",model=\"a\"} 1")) << page;
  EXPECT_EQ(family.size(), 2u);
}

TEST(Family, ComingAndGoingDoesNotGrowMemory) {
  Registry registry(1);
  HistogramFamily& family = registry.histogram("h", "H.", {1, 2, 3}, {"endpoint"});
  family.with(0, {"x"});
  family.remove({"x"});
  const std::size_t before = registry.bytes();
  for (int i = 0; i < 10'000; ++i) {
    const std::string endpoint = std::to_string(i);
    family.with(0, {endpoint}).observe(1);
    EXPECT_TRUE(family.remove({endpoint}));
  }
  EXPECT_EQ(registry.bytes(), before);
}

TEST(Family, HostileLabelValuesCannotBreakThePage) {
  Registry registry(1);
  registry.counter("x_total", "X.", {"l"}).with(0, {"a\"} 1\nevil_total 2\\\xff"}).add();
  EXPECT_TRUE(
      has_line(registry.scrape(Format::kText), "x_total{l=\"a\\\"} 1\\nevil_total 2\\\\\xEF\xBF\xBD\"} 1"));
}

TEST(Registry, HandlesMayOutliveIt) {
  auto registry = std::make_unique<Registry>(1);
  Counter counter = registry->counter("x_total", "X.").with(0);
  registry.reset();
  counter.add();
  EXPECT_EQ(counter.value(), 1u);
}

TEST(Registry, CollectorsWriteAfterTheFamilies) {
  Registry registry(1);
  registry.counter("a_total", "A.").with(0);
  registry.add_collector([](ExpositionWriter& writer) {
    writer.family(Kind::kGauge, "b", "B.");
    writer.sample({}, 1.5);
  });
  const std::string page = registry.scrape(Format::kText);
  EXPECT_TRUE(has_line(page, "b 1.5"));
  EXPECT_LT(page.find("a_total"), page.find("# HELP b"));
}

// One writer per shard and a scraper beside them: nothing is lost, and no page is inconsistent in itself.
TEST(Registry, ScrapesWhileWorkersWrite) {
  constexpr std::size_t kWorkers = 3;
  constexpr std::uint64_t kEvents = 20'000;
  Registry registry(kWorkers);
  CounterFamily& counters = registry.counter("c_total", "C.", {"model"});
  HistogramFamily& histograms = registry.histogram("h", "H.", {0.5, 1}, {"model"});
  std::vector<std::thread> workers;
  for (std::size_t shard = 0; shard < kWorkers; ++shard) {
    workers.emplace_back([&, shard] {
      Counter counter = counters.with(shard, {"m"});
      Histogram histogram = histograms.with(shard, {"m"});
      for (std::uint64_t i = 0; i < kEvents; ++i) {
        counter.add();
        histogram.observe(static_cast<double>(i % 3) / 2);
        if (i % 1000 == 0) counters.with(shard, {std::to_string(i)});
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    const std::string page = registry.scrape(Format::kOpenMetrics);
    EXPECT_TRUE(page.ends_with("# EOF\n"));
  }
  for (std::thread& worker : workers) worker.join();
  const std::string page = registry.scrape(Format::kText);
  EXPECT_TRUE(has_line(page, "c_total{model=\"m\"} 60000"));
  EXPECT_TRUE(has_line(page, "h_count{model=\"m\"} 60000"));
}

}  // namespace
}  // namespace tidegate::telemetry
