#include "control/autoscale/demand.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "base/random.h"
#include "control/autoscale/test_state.h"

namespace tidegate::autoscale {
namespace {

using std::chrono::seconds;
using testing::at;
using testing::condition;
using testing::events;
using testing::kNow;
using testing::message;
using testing::World;

Rule demand_rule(double capacity) {
  Rule rule{.demand = DemandRule{}, .period = seconds(1)};
  rule.demand->capacity = capacity;
  return rule;
}

TEST(Demand, Rows) {
  struct Row {
    const char* why;
    double demand;
    double capacity;
    std::int64_t current;
    std::int64_t expected;  // with nothing remembered
  };
  const Row rows[] = {
      {"5 over 2 each: 5 / 1.7 = 2.94", 5, 2, 1, 3},
      {"exactly 0.85 of one", 1.7, 2, 1, 1},
      {"just over", 1.71, 2, 1, 2},
      {"nothing to do between the two marks", 1.5, 2, 1, 1},
      {"between the marks with two: 2.9 of 4 is 0.725", 2.9, 2, 2, 2},
      {"2.7 of 4 fits into 2 only: 2.7 / 1.4 = 1.93", 2.7, 2, 2, 2},
      {"1.4 fits into one at 0.70", 1.4, 2, 2, 1},
      {"1.5 does not", 1.5, 2, 2, 2},
      {"nothing left: none", 0, 2, 3, 0},
      {"one request keeps one", 0.1, 2, 3, 1},
      {"from zero", 1, 2, 0, 1},
      {"from zero, many held", 100, 8, 0, 15},
      {"supply ordered already counts", 5, 2, 3, 3},
      {"10,000 held", 10'000, 8, 1, 1471},
  };
  for (const Row& row : rows) {
    DemandRule rule;
    rule.capacity = row.capacity;
    DemandReading reading;
    reading.in_flight = row.demand;
    Memory memory;
    const auto verdict = by_demand(rule, reading, row.current, Duration::zero(), kNow, memory);
    ASSERT_TRUE(verdict);
    EXPECT_EQ(verdict->replicas, row.expected) << row.why;
  }
}

TEST(Demand, AddsWhatRunsWaitsAndIsHeld) {
  DemandReading reading;
  reading.in_flight = 2;
  reading.queued = 3;
  reading.held = 5;
  Memory memory;
  DemandRule rule;
  rule.capacity = 5;
  const auto verdict = by_demand(rule, reading, 1, seconds(30), kNow, memory);
  EXPECT_EQ(verdict->demand, 10);
  EXPECT_EQ(verdict->replicas, 3);
  EXPECT_EQ(verdict->text, "demand of 10 requests at 5 per replica");
}

TEST(Demand, OneToThreeAtOnceAndNotAgainWhileTheyCome) {
  World world;
  world.hpa.max_replicas = 10;
  world.rule = demand_rule(2);
  world.pods(1, "r:100");
  world.state.demand = DemandReading{.in_flight = 5, .capacity = {}, .error = {}};
  Outcome outcome = world.round(at(0));
  EXPECT_EQ(outcome.replicas, 3);
  EXPECT_EQ(events(outcome),
            "SuccessfulRescale: New size: 3; reason: demand of 5 requests at 2 per replica above capacity");
  for (int second = 1; second < 600; ++second) {
    world.pods(3, "r:100 p p");
    outcome = world.round(at(second));
    EXPECT_EQ(outcome.replicas, std::nullopt) << second;
  }
  // Loading their weights they are Running and idle: no reason to shrink, or to grow.
  for (int second = 600; second < 1200; ++second) {
    world.pods(3, "r:100 u:0 u:0");
    EXPECT_EQ(world.round(at(second)).replicas, std::nullopt) << second;
  }
}

TEST(Demand, ShrinksToTheHighestOfTheWindow) {
  World world;
  world.rule = demand_rule(2);
  world.settings.downscale_stabilization = seconds(30);
  world.pods(3, "r r r");
  world.state.demand.emplace();
  for (int second = 0; second < 100; ++second) {
    world.state.demand->in_flight = second < 10 ? 5 : second < 20 ? 2 : 0;
    const Outcome outcome = world.round(at(second));
    // The 5 of second 9 holds until 39, the 2 (which wants two) until 49.
    std::optional<std::int64_t> expected;
    if (second == 39) expected = 2;
    if (second == 49) expected = 1;
    EXPECT_EQ(outcome.replicas, expected) << second;
  }
}

TEST(Demand, ToZeroAndBackAtOnce) {
  World world;
  world.rule = demand_rule(4);
  world.rule.demand->idle_after = seconds(60);
  world.settings.downscale_stabilization = seconds(10);
  world.hpa.min_replicas = 0;
  world.pods(2, "r r");
  world.state.demand = DemandReading{.in_flight = 1, .capacity = {}, .error = {}};
  world.round(at(0));
  world.state.demand->in_flight = 0;
  std::optional<int> one_at, zero_at;
  for (int second = 1; second < 90; ++second) {
    const Outcome outcome = world.round(at(second));
    if (outcome.replicas == 1) one_at = second;
    if (outcome.replicas == 0) zero_at = second;
  }
  EXPECT_EQ(one_at, 10);
  EXPECT_EQ(zero_at, 60);
  world.pods(0, "");
  world.state.demand->held = 7;
  EXPECT_EQ(world.round(at(91)).replicas, 3) << "7 / 3.4 = 2.06";
}

TEST(Demand, IdleAfterIsNotHeldUpByALongerWindow) {
  for (const std::int64_t min : {0, 1}) {
    World world;
    world.rule = demand_rule(4);
    world.rule.demand->idle_after = seconds(20);
    world.settings.downscale_stabilization = seconds(300);
    world.hpa.min_replicas = min;
    world.pods(3, "r r r");
    world.state.demand = DemandReading{.in_flight = 9, .capacity = {}, .error = {}};
    world.round(at(0));
    world.state.demand->in_flight = 0;
    std::optional<int> none_at;
    for (int second = 1; second < 100; ++second) {
      world.state.demand->partial = second < 30;  // an engine is silent
      if (world.round(at(second)).replicas == 0) none_at = second;
    }
    EXPECT_EQ(none_at, min == 0 ? std::optional(30) : std::nullopt);
    EXPECT_EQ(world.state.scale->replicas, min == 0 ? 0 : 3) << "the window holds for those who keep one";
  }
}

TEST(Demand, WakingSoonDoesNotMakeItWary) {
  World world;
  world.rule = demand_rule(4);
  world.rule.demand->idle_after = seconds(10);
  world.settings.downscale_stabilization = seconds(60);
  world.hpa.min_replicas = 0;
  world.pods(1, "r");
  world.state.demand.emplace();
  for (int second = 0; second < 15; ++second) world.round(at(second));
  ASSERT_EQ(world.state.scale->replicas, 0);
  std::optional<int> one_at;
  for (int second = 15; second < 200; ++second) {
    world.state.demand->in_flight = second < 20 ? 9 : 1;
    if (world.round(at(second)).replicas == 1) one_at = second;
  }
  EXPECT_EQ(one_at, 79) << "the 9 of second 19 counts for one window, and nothing longer";
}

TEST(Demand, WhatIsNotKnownChangesNothing) {
  World world;
  world.rule = demand_rule(2);
  world.settings.downscale_stabilization = Duration::zero();
  world.pods(3, "r r r");
  Outcome outcome = world.round(at(0));
  EXPECT_EQ(outcome.replicas, std::nullopt);
  EXPECT_EQ(condition(outcome, "ScalingActive"), "False FailedGetDemand");
  world.state.demand.emplace();
  world.state.demand->error = "the gateway's last word is 12 s old";
  outcome = world.round(at(1));
  EXPECT_EQ(outcome.replicas, std::nullopt);
  EXPECT_EQ(
      message(outcome, "ScalingActive"),
      "the HPA was unable to compute the replica count: unable to get demand: the gateway's last word is "
      "12 s old");
}

TEST(Demand, BoundsAndPoliciesHold) {
  World world;
  world.rule = demand_rule(1);
  world.pods(1, "r");
  world.state.demand = DemandReading{.in_flight = 100, .capacity = {}, .error = {}};
  Outcome outcome = world.round(at(0));
  EXPECT_EQ(outcome.replicas, 3);
  EXPECT_EQ(condition(outcome, "ScalingLimited"), "True TooManyReplicas");
  World slow;
  slow.rule = demand_rule(1);
  slow.hpa.max_replicas = 50;
  slow.hpa.behavior =
      resource::Behavior{resource::default_scale_up_rules(), resource::default_scale_down_rules()};
  slow.hpa.behavior->up.policies = {{false, 1, 10}};
  slow.pods(1, "r");
  slow.state.demand = DemandReading{.in_flight = 100, .capacity = {}, .error = {}};
  EXPECT_EQ(slow.round(at(0)).replicas, 2);
  EXPECT_EQ(slow.round(at(1)).replicas, std::nullopt);
  EXPECT_EQ(slow.round(at(10)).replicas, 3);
}

TEST(Demand, AShrinkThatGrowthTakesBackIsNotTriedAgainSoon) {
  World world;
  world.hpa.max_replicas = 20;
  world.rule = demand_rule(4);
  world.settings.downscale_stabilization = seconds(60);
  world.state.demand.emplace();
  world.pods(4, "r r r r");
  std::vector<int> shrunk;
  // Fewer replicas are slower: with three or less, twice as many requests are there at once.
  for (int second = 0; second < 1000; ++second) {
    const std::int64_t before = world.state.scale->replicas;
    world.state.demand->in_flight = before > 3 ? 8 : 16;
    world.round(at(second));
    if (world.state.scale->replicas < before) shrunk.push_back(second);
  }
  // 8 fit into three; the next second shows sixteen. Then for three windows nothing, and the same again.
  ASSERT_EQ(shrunk.size(), 6u) << "after one window, and after each three that follow";
  for (std::size_t i = 1; i < shrunk.size(); ++i) EXPECT_GE(shrunk[i] - shrunk[i - 1], 180);
}

TEST(Demand, SilenceIsNoMistake) {
  World world;
  world.rule = demand_rule(4);
  world.rule.demand->idle_after = seconds(30);
  world.settings.downscale_stabilization = seconds(30);
  world.hpa.min_replicas = 0;
  world.pods(1, "r");
  world.state.demand.emplace();
  int zeros = 0;
  for (int second = 0; second < 300; ++second) {
    const std::int64_t before = world.state.scale->replicas;
    world.state.demand->held = before == 0 && second % 50 == 0 ? 1 : 0;
    world.round(at(second));
    zeros += before > 0 && world.state.scale->replicas == 0 ? 1 : 0;
  }
  EXPECT_EQ(zeros, 6) << "each time after half a minute, however often somebody came back";
}

// Load that steps up and down once, with noise: never more than two changes of direction.
TEST(Demand, DoesNotFlap) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    World world;
    world.hpa.max_replicas = 20;
    world.rule = demand_rule(4);
    world.settings.downscale_stabilization = seconds(60);
    world.state.demand.emplace();
    world.pods(1, "r");
    std::int64_t last = 1;
    int turns = 0, direction = 0;
    for (int second = 0; second < 900; ++second) {
      const double base = second < 300 || second > 600 ? 2 : 30;
      world.state.demand->in_flight = base + static_cast<double>(random.below(5));
      world.round(at(second));
      const std::int64_t now = world.state.scale->replicas;
      const int moved = now > last ? 1 : now < last ? -1 : 0;
      if (moved != 0 && direction != 0 && moved != direction) ++turns;
      if (moved != 0) direction = moved;
      last = now;
    }
    EXPECT_LE(turns, 2) << seed;
  }
}

TEST(Rules, AreReadFromAnnotations) {
  const Settings settings;
  const auto plain = read_rule({}, settings);
  EXPECT_FALSE(plain->demand);
  EXPECT_EQ(plain->period, seconds(15));
  const auto demand = read_rule({{"tidegate.dev/scaling-rule", "demand"},
                                 {"tidegate.dev/replica-capacity", "2.5"},
                                 {"tidegate.dev/idle-after", "2m"},
                                 {"tidegate.dev/ttft-target", "750ms"}},
                                settings);
  ASSERT_TRUE(demand && demand->demand);
  EXPECT_EQ(demand->period, seconds(1));
  EXPECT_EQ(demand->demand->capacity, 2.5);
  EXPECT_EQ(demand->demand->idle_after, std::chrono::minutes(2));
  EXPECT_EQ(demand->demand->ttft_target, std::chrono::milliseconds(750));
  struct Wrong {
    const char* name;
    const char* value;
    const char* message;
  };
  const Wrong wrongs[] = {
      {"tidegate.dev/scaling-rule", "magic",
       "metadata.annotations[\"tidegate.dev/scaling-rule\"] is \"magic\"; use demand or hpa"},
      {"tidegate.dev/scaling-period", "0s",
       "metadata.annotations[\"tidegate.dev/scaling-period\"] is \"0s\"; use 100ms to 1h"},
      {"tidegate.dev/scaling-period", "soon",
       "metadata.annotations[\"tidegate.dev/scaling-period\"] is \"soon\"; use 100ms to 1h"},
      {"tidegate.dev/replica-capacity", "0",
       "metadata.annotations[\"tidegate.dev/replica-capacity\"] is \"0\"; use the requests one replica "
       "serves "
       "at once, like 8"},
      {"tidegate.dev/replica-capacity", "nan",
       "metadata.annotations[\"tidegate.dev/replica-capacity\"] is \"nan\"; use the requests one replica "
       "serves "
       "at once, like 8"},
      {"tidegate.dev/ttft-target", "2",
       "metadata.annotations[\"tidegate.dev/ttft-target\"] is \"2\"; use 100ms to 10m"},
      {"tidegate.dev/ttft-target", "50ms",
       "metadata.annotations[\"tidegate.dev/ttft-target\"] is \"50ms\"; use 100ms to 10m"},
      {"tidegate.dev/idle-after", "-3s",
       "metadata.annotations[\"tidegate.dev/idle-after\"] is \"-3s\"; use a duration like 30s"},
  };
  for (const Wrong& wrong : wrongs) {
    std::map<std::string, std::string> annotations = {{"tidegate.dev/scaling-rule", "demand"}};
    annotations[wrong.name] = wrong.value;
    const auto rule = read_rule(annotations, settings);
    ASSERT_FALSE(rule) << wrong.value;
    EXPECT_EQ(describe(rule.error()), wrong.message);
  }
}

// Both rules over the same minutes: five clients arrive at 10 s and stay; a new replica needs 60 s to boot
// and load. docs/autoscaling.md shows what this prints.
TEST(Rules, SideBySide) {
  const auto run = [](bool by_demand) {
    World world;
    if (by_demand) world.rule = demand_rule(2);
    std::string line;
    std::vector<int> born = {-1000};
    std::optional<int> three_at, serving_at;
    for (int second = 0; second <= 240; ++second) {
      std::string pods;
      int ready = 0;
      for (const int since : born) ready += second - since >= 60 ? 1 : 0;
      for (const int since : born) pods += second - since >= 60 ? (second >= 10 ? "r:100 " : "r:0 ") : "p ";
      world.pods(static_cast<std::int64_t>(born.size()), pods);
      world.state.demand = DemandReading{.in_flight = second >= 10 ? 5.0 : 0.0, .capacity = {}, .error = {}};
      if (second % (by_demand ? 1 : 15) == 0) world.round(at(second));
      while (static_cast<std::int64_t>(born.size()) < world.state.scale->replicas) born.push_back(second);
      if (!three_at && world.state.scale->replicas == 3) three_at = second;
      if (!serving_at && ready == 3) serving_at = second;
      if (second % 15 == 0) {
        line += " " + std::to_string(world.state.scale->replicas) + "/" + std::to_string(ready);
      }
    }
    std::printf("%-22s wanted/ready every 15 s:%s\n", by_demand ? "demand rule" : "HPA, SM utilisation",
                line.c_str());
    return std::pair(three_at, serving_at);
  };
  const auto [hpa_three, hpa_serving] = run(false);
  const auto [demand_three, demand_serving] = run(true);
  EXPECT_EQ(hpa_three, 75) << "15: two. One Pending pod holds it there until 75, when both show 100";
  EXPECT_EQ(hpa_serving, 135);
  EXPECT_EQ(demand_three, 10);
  EXPECT_EQ(demand_serving, 70);
}

}  // namespace
}  // namespace tidegate::autoscale
