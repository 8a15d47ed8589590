// Rows worked out by hand from the documented algorithm, and a second, whole-number implementation of it held
// against random clusters.

#include "control/autoscale/calculator.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "control/autoscale/test_state.h"

namespace tidegate::autoscale {
namespace {

using testing::kNow;
using testing::Pods;
using testing::pods_of;

struct Row {
  const char* why;
  const char* pods;
  std::int64_t current;
  std::int64_t target;
  std::int64_t expected;
};

TEST(Calculator, PodsMetricByAverageValue) {
  const Row rows[] = {
      {"twice the target: twice the pods", "r:100", 1, 50, 2},
      {"at target", "r:50", 1, 50, 1},
      {"10 % above is tolerated", "r:55", 1, 50, 1},
      {"just over 10 %", "r:56", 1, 50, 2},
      {"10 % below is tolerated", "r:45 r:45", 2, 50, 2},
      {"just under 10 % below: ceil(0.88 * 2)", "r:44 r:44", 2, 50, 2},
      {"half the load", "r:25 r:25", 2, 50, 1},
      {"idle: ceil(0)", "r:0 r:0", 2, 50, 0},
      {"mean of uneven pods", "r:90 r:30", 2, 50, 3},
      {"three pods at 80", "r:80 r:80 r:80", 3, 50, 5},
      {"the mean is cut to whole thousandths", "r:33 r:34 r:34", 3, 10, 11},
      // Pending pods count as zero when it rises.
      {"a Pending pod holds the second step back", "r:100 p", 2, 50, 2},
      {"two Pending: 100/150 turns the direction, keep", "r:100 p p", 3, 50, 3},
      {"enough load for more in spite of a Pending pod", "r:200 p", 2, 50, 4},
      {"220 over 2 pods of 50", "r:220 p", 2, 50, 5},
      {"Pending pods do not matter when it falls", "r:20 r:20 p", 3, 50, 1},
      {"110 over two of 50 is 1.1: tolerated", "r:110 p", 2, 50, 2},
      {"112 over two is 1.12", "r:112 p", 2, 50, 3},
      // Missing samples.
      {"missing counts as 0 when it rises", "r:100 r:-", 2, 50, 2},
      {"missing counts as target when it falls", "r:0 r:-", 2, 50, 1},
      {"one idle, two missing: (0+50+50)/150", "r:0 r:- r:-", 3, 50, 2},
      {"ratio 0.9 with a missing one stays", "r:45 r:-", 2, 50, 2},
      {"0.4 and a missing one: 70/100 -> ceil(1.4)", "r:20 r:-", 2, 50, 2},
      {"missing and rising: 150/100 -> ceil(3)", "r:150 r:-", 2, 50, 3},
      {"at exactly 1 nothing happens, whatever is missing", "r:50 r:-", 2, 50, 2},
      {"missing and Pending, rising: 300/150", "r:300 r:- p", 3, 50, 6},
      {"missing and Pending, falling: Pending is no evidence", "r:0 r:- p", 3, 50, 1},
      {"rising turned by what is made up", "r:60 r:-", 2, 50, 2},
      // Who counts at all.
      {"terminating pods are not there", "r:100 t:0", 1, 50, 2},
      {"failed pods are not there", "r:100 f:0", 1, 50, 2},
      {"a terminating pod without sample is not missing", "r:10 r:10 t:-", 2, 50, 1},
      {"not Ready does not matter to these metrics", "r:100 u:0", 2, 50, 2},
      {"... so a pod that loads weights drags the mean: 55 is tolerated", "r:100 u:10", 2, 50, 2},
      {"both unready, both busy", "u:100 u:100", 2, 50, 4},
      {"a sample of a Pending pod is not believed", "r:100 p:100", 2, 50, 2},
      {"more pods there than wanted: ceil(2 * 3)", "r:100 r:100 r:100", 2, 50, 6},
      {"fewer pods there than wanted", "r:100", 3, 50, 2},
      {"target above 100", "r:300", 1, 150, 2},
      {"a fraction below one pod", "r:1", 1, 50, 1},
      {"many pods", "r:60 r:60 r:60 r:60 r:60 r:60 r:60 r:60 r:60 r:60", 10, 50, 12},
      {"utilisation summed over processes may pass 100", "r:101", 1, 50, 3},
  };
  for (const Row& row : rows) {
    Pods made = pods_of(row.pods);
    const Measured measured{made.pods, made.reading, row.current, row.current, {}};
    const auto proposal = by_average_value(measured, row.target * 1000, "", {}, kNow);
    ASSERT_TRUE(proposal) << row.why << ": " << describe(proposal.error());
    EXPECT_EQ(proposal->replicas, row.expected) << row.why << ": " << row.pods;
  }
}

TEST(Calculator, UtilizationOfRequests) {
  // Requests are 1000m each, so a sample of 1 is 100 %.
  struct UseRow {
    const char* why;
    const char* pods;
    std::int64_t request;
    std::int64_t current;
    std::int64_t percent;
    std::int64_t expected;
    std::int64_t shown;
  };
  const UseRow rows[] = {
      {"100 % of request against 50 %", "r:1", 1000, 1, 50, 2, 100},
      {"50 % of a larger request", "r:1", 2000, 1, 50, 1, 50},
      {"sums, not means of ratios", "r:1 r:3", 2000, 2, 50, 4, 100},
      {"whole percents: 1/3 is 33", "r:1", 3000, 1, 33, 1, 33},
      {"missing counts as all of its request when it falls: (0+100)/2 = 50", "r:0 r:-", 1000, 2, 60, 2, 0},
      {"missing at 100 % turns the direction: keep", "r:0 r:- r:-", 1000, 3, 50, 3, 0},
      {"missing counts as 0 when it rises", "r:2 r:-", 1000, 2, 50, 4, 200},
      {"Pending counts as 0 when it rises", "r:1 p", 1000, 2, 50, 2, 100},
      {"idle", "r:0 r:0", 1000, 2, 80, 0, 0},
      {"88 % against 80 % is tolerated", "r:88", 100'000, 1, 80, 1, 88},
      {"89 % is not", "r:89", 100'000, 1, 80, 2, 89},
  };
  for (const UseRow& row : rows) {
    Pods made = pods_of(row.pods, row.request);
    const Measured measured{made.pods, made.reading, row.current, row.current, {}};
    const auto proposal = by_utilization(measured, row.percent, "cpu", "", {}, kNow);
    ASSERT_TRUE(proposal) << row.why << ": " << describe(proposal.error());
    EXPECT_EQ(proposal->replicas, row.expected) << row.why;
    EXPECT_EQ(proposal->status.utilization, row.shown) << row.why;
  }
}

TEST(Calculator, CpuOfStartingPods) {
  using std::chrono::minutes;
  using std::chrono::seconds;
  struct StartRow {
    const char* why;
    bool ready;
    Duration started_ago;
    Duration ready_changed_ago;
    Duration sampled_ago;
    bool counts;
  };
  // Window 30 s. A pod that does not count makes the only other pod's ratio be divided by two pods.
  const StartRow rows[] = {
      {"ready long ago", true, minutes(60), minutes(50), seconds(0), true},
      {"young, ready, sampled a window after", true, minutes(2), minutes(1), seconds(0), true},
      {"young, ready, sampled too early", true, minutes(2), seconds(20), seconds(0), false},
      {"young, not ready", false, minutes(2), minutes(1), seconds(0), false},
      {"old, not ready, was ready once", false, minutes(60), minutes(1), seconds(0), true},
      {"old, never ready: changed within 30 s of its start", false, minutes(60), minutes(60), seconds(0),
       false},
  };
  for (const StartRow& row : rows) {
    Pods made = pods_of("r:1 r:1");
    PodState& pod = made.pods[1];
    pod.ready = row.ready;
    pod.started = kNow - row.started_ago;
    pod.ready_changed = kNow - row.ready_changed_ago;
    made.reading.pods[pod.name].time = kNow - row.sampled_ago;
    const Measured measured{made.pods, made.reading, 2, 2, {}};
    const auto cpu = by_utilization(measured, 50, "cpu", "", {}, kNow);
    ASSERT_TRUE(cpu);
    // Both count: 100/50 * 2 = 4. One counts as 0: (100+0)/2 = 50 -> keep 2.
    EXPECT_EQ(cpu->replicas, row.counts ? 4 : 2) << row.why;
    // Other resources never ask.
    const auto memory = by_average_value(measured, 500, "memory", {}, kNow);
    EXPECT_EQ(memory->replicas, 4) << row.why;
  }
  Pods made = pods_of("r:1 r:1");
  made.pods[1].ready_changed.reset();
  const Measured measured{made.pods, made.reading, 2, 2, {}};
  EXPECT_EQ(by_utilization(measured, 50, "cpu", "", {}, kNow)->replicas, 2) << "no Ready condition";
}

TEST(Calculator, Containers) {
  Pods made = pods_of("r:1");
  made.pods[0].containers.push_back({"sidecar", {{"cpu", 4000}}});
  const Measured measured{made.pods, made.reading, 1, 1, {}};
  EXPECT_EQ(by_utilization(measured, 50, "cpu", "", {}, kNow)->status.utilization, 20);
  EXPECT_EQ(by_utilization(measured, 50, "cpu", "main", {}, kNow)->status.utilization, 100);
  made.pods[0].containers.push_back({"bare", {}});
  EXPECT_EQ(by_utilization(measured, 50, "cpu", "", {}, kNow).error().message,
            "missing request for cpu in container bare of Pod pod-0");
  EXPECT_TRUE(by_utilization(measured, 50, "cpu", "main", {}, kNow));
}

TEST(Calculator, ValuesOfObjectsAndExternals) {
  struct ValueRow {
    const char* why;
    const char* pods;
    std::int64_t current;
    std::int64_t sum;
    std::int64_t target;
    std::int64_t by_value;
    std::int64_t per_replica;
  };
  const ValueRow rows[] = {
      {"5 in flight, 2 each: three at once", "r:0", 1, 5, 2, 3, 3},
      {"at target", "r:0", 1, 2, 2, 1, 1},
      {"Value multiplies by ready pods, AverageValue does not", "r:0 r:0 r:0", 3, 10, 5, 6, 2},
      {"Pending pods do not damp AverageValue", "r:0 p p", 3, 20, 2, 10, 10},
      {"Value counts Running and Ready only", "r:0 u:0 p", 3, 4, 2, 2, 2},
      {"no ready pod: Value says 0", "u:0", 1, 4, 2, 0, 2},
      {"from zero", "", 0, 5, 2, 3, 3},
      {"zero stays zero", "", 0, 0, 2, 0, 0},
      {"AverageValue tolerates 10 %", "r:0 r:0", 2, 11, 5, 5, 2},
      {"AverageValue above", "r:0 r:0", 2, 12, 5, 5, 3},
      {"nothing left", "r:0 r:0", 2, 0, 5, 0, 0},
  };
  for (const ValueRow& row : rows) {
    Pods made = pods_of(row.pods);
    made.reading.values = {row.sum * 1000};
    const Measured measured{made.pods, made.reading, row.current, row.current, {}};
    EXPECT_EQ(by_value(measured, row.target * 1000)->replicas, row.by_value) << row.why;
    EXPECT_EQ(by_value_per_replica(measured, row.target * 1000)->replicas, row.per_replica) << row.why;
  }
  Pods made = pods_of("r:0 r:0");
  made.reading.values = {3000, 2000};  // several series add up
  const Measured measured{made.pods, made.reading, 2, 2, {}};
  EXPECT_EQ(by_value(measured, 2000)->status.value, 5000);
  EXPECT_EQ(by_value_per_replica(measured, 2000)->status.average_value, 2500);
}

TEST(Calculator, TolerancePerDirection) {
  Pods made = pods_of("r:54");
  EXPECT_EQ(by_average_value({made.pods, made.reading, 1, 1, {0.0, 0.1}}, 50'000, "", {}, kNow)->replicas, 2);
  EXPECT_EQ(by_average_value({made.pods, made.reading, 1, 1, {0.5, 0.1}}, 50'000, "", {}, kNow)->replicas, 1);
  made = pods_of("r:24 r:24");
  EXPECT_EQ(by_average_value({made.pods, made.reading, 2, 2, {0.1, 0.6}}, 50'000, "", {}, kNow)->replicas, 2);
  EXPECT_EQ(by_average_value({made.pods, made.reading, 2, 2, {0.6, 0.1}}, 50'000, "", {}, kNow)->replicas, 1);
}

TEST(Calculator, SaysWhyItCannot) {
  const Pods none = pods_of("");
  EXPECT_EQ(by_average_value({none.pods, none.reading, 1, 1, {}}, 1, "", {}, kNow).error().message,
            "no pods returned by selector while calculating replica count");
  const Pods silent = pods_of("r:- r:-");
  EXPECT_EQ(by_average_value({silent.pods, silent.reading, 2, 2, {}}, 1, "", {}, kNow).error().message,
            "did not receive metrics for any ready pods");
  const Pods pending = pods_of("p p");
  EXPECT_FALSE(by_average_value({pending.pods, pending.reading, 2, 2, {}}, 1, "", {}, kNow));
  EXPECT_FALSE(by_utilization({pending.pods, pending.reading, 2, 2, {}}, 50, "cpu", "", {}, kNow));
  const Pods zero = pods_of("r:1", 0);
  EXPECT_EQ(by_utilization({zero.pods, zero.reading, 1, 1, {}}, 50, "cpu", "", {}, kNow).error().message,
            "no metrics returned matched known pods");
}

// The algorithm once more, in whole numbers and from the documentation's sentences.
std::int64_t oracle(const std::vector<char>& kinds, const std::vector<std::int64_t>& samples,
                    std::int64_t current, std::int64_t target, bool& exact) {
  std::int64_t total = 0, ready = 0, missing = 0, unready = 0;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    if (kinds[i] == 't') continue;
    if (kinds[i] == 'p') {
      ++unready;
    } else if (samples[i] < 0) {
      ++missing;
    } else {
      total += samples[i];
      ++ready;
    }
  }
  if (ready == 0) return -1;
  const auto tolerated = [&](std::int64_t mean) { return std::abs(mean - target) * 10 <= target; };
  const auto needed = [&](std::int64_t mean, std::int64_t pods) {
    exact = exact || mean * pods % target == 0;  // where floating point may fall on either side
    return (mean * pods + target - 1) / target;
  };
  const std::int64_t mean = total / ready;
  const bool rises = mean > target;
  if (missing == 0 && !(rises && unready > 0)) return tolerated(mean) ? current : needed(mean, ready);
  std::int64_t pods = ready;
  if (mean != target) {
    pods += missing;
    if (!rises) total += missing * target;
  }
  if (rises) pods += unready;
  const std::int64_t again = total / pods;
  if (tolerated(again) || (rises && again < target) || (mean < target && again > target)) return current;
  const std::int64_t wanted = needed(again, pods);
  if ((again < target && wanted > current) || (again > target && wanted < current)) return current;
  return wanted;
}

TEST(Calculator, AgreesWithWholeNumbersOnRandomClusters) {
  Random random(7);
  int compared = 0;
  for (int trial = 0; trial < 20'000; ++trial) {
    const auto draw = [&](std::uint64_t below) { return static_cast<std::int64_t>(random.below(below)); };
    std::vector<char> kinds;
    std::vector<std::int64_t> samples;
    std::string text;
    const std::int64_t count = 1 + draw(6);
    for (std::int64_t i = 0; i < count; ++i) {
      kinds.push_back("rrrupt"[draw(6)]);
      samples.push_back(draw(4) == 0 ? -1 : draw(200));
      text += std::string(1, kinds.back()) + ":" +
              (samples.back() < 0 ? "-" : std::to_string(samples.back())) + " ";
    }
    const std::int64_t current = 1 + draw(6);
    const std::int64_t target = 1 + draw(120);
    bool exact = false;
    std::vector<std::int64_t> milli = samples;
    for (std::int64_t& sample : milli) sample = sample < 0 ? -1 : sample * 1000;
    const std::int64_t expected = oracle(kinds, milli, current, target * 1000, exact);
    Pods made = pods_of(text);
    const auto proposal =
        by_average_value({made.pods, made.reading, current, current, {}}, target * 1000, "", {}, kNow);
    ASSERT_EQ(proposal.has_value(), expected >= 0) << text;
    if (!proposal) continue;
    ++compared;
    if (exact) {
      EXPECT_NEAR(static_cast<double>(proposal->replicas), static_cast<double>(expected), 1)
          << text << target;
    } else {
      EXPECT_EQ(proposal->replicas, expected) << text << " current " << current << " target " << target;
    }
    // Where the pods that speak are not below target, silent ones never scale anything in.
    bool silent = false;
    for (std::size_t i = 0; i < kinds.size(); ++i) {
      silent = silent || (kinds[i] != 't' && kinds[i] != 'p' && samples[i] < 0);
    }
    if (silent && *proposal->status.average_value >= target * 1000) {
      EXPECT_GE(proposal->replicas, current) << text;
    }
  }
  EXPECT_GT(compared, 15'000);
}

}  // namespace
}  // namespace tidegate::autoscale
