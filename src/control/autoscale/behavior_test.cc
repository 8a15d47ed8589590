#include "control/autoscale/behavior.h"

#include <gtest/gtest.h>

#include "control/autoscale/test_state.h"

namespace tidegate::autoscale {
namespace {

using resource::Behavior;
using resource::ScalingRules;
using testing::at;
using testing::condition;
using testing::kNow;

Behavior with_defaults() {
  return {resource::default_scale_up_rules(), resource::default_scale_down_rules()};
}

TEST(Behavior, ScaleUpLimits) {
  struct Row {
    const char* why;
    std::vector<resource::ScalingPolicy> policies;
    ScalingRules::Select select;
    std::int64_t current;
    std::int64_t added;  // within the period already
    std::int64_t expected;
  };
  const auto kMax = ScalingRules::Select::kMax;
  const auto kMin = ScalingRules::Select::kMin;
  const auto kOff = ScalingRules::Select::kDisabled;
  const resource::ScalingPolicy four{false, 4, 15}, twice{true, 100, 15}, tenth{true, 10, 15},
      one{false, 1, 60};
  const Row rows[] = {
      {"defaults from 1: four more", {four, twice}, kMax, 1, 0, 5},
      {"defaults from 10: twice", {four, twice}, kMax, 10, 0, 20},
      {"least of both", {four, twice}, kMin, 10, 0, 14},
      {"least of both from 1", {four, twice}, kMin, 1, 0, 2},
      {"what was added counts: started at 1", {four, twice}, kMax, 5, 4, 5},
      {"percent rounds up", {tenth}, kMax, 11, 0, 13},
      {"percent of 1 still grows", {tenth}, kMax, 1, 0, 2},
      {"one a minute", {one}, kMax, 7, 0, 8},
      {"one a minute, had", {one}, kMax, 8, 1, 8},
      {"disabled", {four}, kOff, 3, 0, 3},
      {"from zero in percent stays there", {twice}, kMax, 0, 0, 0},
      {"from zero in pods", {four, twice}, kMax, 0, 0, 4},
  };
  for (const Row& row : rows) {
    ScalingRules rules;
    rules.policies = row.policies;
    rules.select = row.select;
    Memory memory;
    if (row.added > 0) memory.ups.push_back({row.added, at(-5)});
    EXPECT_EQ(scale_up_limit(row.current, memory, rules, kNow), row.expected) << row.why;
    memory.ups.assign(1, {row.added, at(-61)});
    if (row.select == kMax && row.added > 0) {
      EXPECT_GT(scale_up_limit(row.current, memory, rules, kNow), row.expected) << row.why << ", forgotten";
    }
  }
}

TEST(Behavior, ScaleDownLimits) {
  struct Row {
    const char* why;
    std::vector<resource::ScalingPolicy> policies;
    ScalingRules::Select select;
    std::int64_t current;
    std::int64_t removed;
    std::int64_t expected;
  };
  const auto kMax = ScalingRules::Select::kMax;
  const auto kMin = ScalingRules::Select::kMin;
  const resource::ScalingPolicy all{true, 100, 15}, tenth{true, 10, 60}, four{false, 4, 60},
      one{false, 1, 60};
  const Row rows[] = {
      {"default: everything", {all}, kMax, 10, 0, 0},
      {"the documentation's example: 80 pods, 10 %", {tenth}, kMax, 80, 0, 72},
      {"percent rounds down: 72 * 0.9 = 64.8", {tenth}, kMax, 72, 0, 64},
      {"4 pods or 10 %, most: 10 %", {four, tenth}, kMax, 80, 0, 72},
      {"4 pods or 10 %, most at 30: 4", {four, tenth}, kMax, 30, 0, 26},
      {"4 pods or 10 %, least", {four, tenth}, kMin, 80, 0, 76},
      {"what went already counts", {tenth}, kMax, 72, 8, 72},
      {"one a minute", {one}, kMax, 3, 0, 2},
      {"one a minute, had", {one}, kMax, 2, 1, 2},
      {"disabled", {all}, ScalingRules::Select::kDisabled, 5, 0, 5},
      {"below zero is clamped by min later", {four}, kMax, 2, 0, -2},
  };
  for (const Row& row : rows) {
    ScalingRules rules;
    rules.policies = row.policies;
    rules.select = row.select;
    Memory memory;
    if (row.removed > 0) memory.downs.push_back({row.removed, at(-5)});
    EXPECT_EQ(scale_down_limit(row.current, memory, rules, kNow), row.expected) << row.why;
  }
}

TEST(Behavior, UpsAndDownsOfOnePeriodCancel) {
  ScalingRules rules;
  rules.policies = {{false, 1, 60}};
  Memory memory;
  memory.ups.push_back({1, at(-10)});
  memory.downs.push_back({1, at(-5)});
  EXPECT_EQ(scale_up_limit(5, memory, rules, kNow), 6);
  EXPECT_EQ(scale_down_limit(5, memory, rules, kNow), 4);
}

TEST(Behavior, WithoutOneTheOldLimitsHold) {
  struct Row {
    const char* why;
    Step step;
    std::int64_t expected;
    const char* limited;
  };
  const Row rows[] = {
      {"within", {2, 3, 1, 10}, 3, "False DesiredWithinRange"},
      {"at most 4 from 1", {1, 9, 1, 10}, 4, "True ScaleUpLimit"},
      {"at most twice", {3, 9, 1, 10}, 6, "True ScaleUpLimit"},
      {"max", {3, 9, 1, 5}, 5, "True TooManyReplicas"},
      {"min", {3, 0, 2, 5}, 2, "True TooFewReplicas"},
      {"min 0", {1, 0, 0, 5}, 0, "False DesiredWithinRange"},
      {"equal to max", {3, 5, 1, 5}, 5, "False DesiredWithinRange"},
  };
  for (const Row& row : rows) {
    Outcome outcome;
    EXPECT_EQ(normalize(row.step, {}, {}, kNow, outcome), row.expected) << row.why;
    EXPECT_EQ(condition(outcome, "ScalingLimited"), row.limited) << row.why;
    EXPECT_EQ(condition(outcome, "AbleToScale"), "True ReadyForNewScale") << row.why;
  }
}

TEST(Behavior, TheHighestOfTheWindowHoldsScaleIn) {
  for (const bool has_behavior : {false, true}) {
    std::optional<Behavior> behavior;
    if (has_behavior) behavior = with_defaults();
    Outcome outcome;
    EXPECT_EQ(normalize({3, 3, 1, 10}, behavior, {}, at(0), outcome), 3);
    EXPECT_EQ(normalize({3, 1, 1, 10}, behavior, {}, at(15), outcome), 3);
    EXPECT_EQ(condition(outcome, "AbleToScale"), "True ScaleDownStabilized");
    EXPECT_EQ(normalize({3, 2, 1, 10}, behavior, {}, at(299), outcome), 3);
    EXPECT_EQ(normalize({3, 1, 1, 10}, behavior, {}, at(301), outcome), 2) << "the 2 of 299 s is left";
    EXPECT_EQ(normalize({2, 1, 1, 10}, behavior, {}, at(600), outcome), 1);
    EXPECT_EQ(condition(outcome, "AbleToScale"), "True ReadyForNewScale");
  }
}

TEST(Behavior, TheLowestOfTheWindowHoldsScaleOut) {
  Behavior behavior = with_defaults();
  behavior.up.window_s = 30;
  Outcome outcome;
  EXPECT_EQ(normalize({1, 1, 1, 10}, behavior, {}, at(0), outcome), 1);
  EXPECT_EQ(normalize({1, 3, 1, 10}, behavior, {}, at(15), outcome), 1);
  EXPECT_EQ(condition(outcome, "AbleToScale"), "True ScaleUpStabilized");
  EXPECT_EQ(normalize({1, 2, 1, 10}, behavior, {}, at(31), outcome), 2);
  EXPECT_EQ(normalize({2, 4, 1, 10}, behavior, {}, at(46), outcome), 2);
  EXPECT_EQ(normalize({2, 4, 1, 10}, behavior, {}, at(62), outcome), 4);
}

TEST(Behavior, ShortWindowsAndPolicies) {
  Behavior behavior = with_defaults();
  behavior.down.window_s = 0;
  behavior.down.policies = {{false, 1, 60}};
  Outcome outcome;
  EXPECT_EQ(normalize({3, 1, 1, 10}, behavior, {}, at(0), outcome), 2);
  EXPECT_EQ(condition(outcome, "ScalingLimited"), "True ScaleDownLimit");
  remember_change(behavior, 3, 2, at(0), outcome.memory);
  EXPECT_EQ(normalize({2, 1, 1, 10}, behavior, {}, at(59), outcome), 2);
  EXPECT_EQ(normalize({2, 1, 1, 10}, behavior, {}, at(61), outcome), 1);

  behavior.down.select = ScalingRules::Select::kDisabled;
  EXPECT_EQ(normalize({3, 1, 1, 10}, behavior, {}, at(200), outcome), 3);
}

TEST(Behavior, MemoryStaysSmall) {
  Behavior behavior = with_defaults();
  Outcome outcome;
  for (int i = 0; i < 10'000; ++i) {
    normalize({3, 2, 1, 10}, behavior, {}, at(15.0 * i), outcome);
    remember_change(behavior, 3, i % 2 == 0 ? 2 : 4, at(15.0 * i), outcome.memory);
  }
  EXPECT_LE(outcome.memory.recommendations.size(), 22u);
  EXPECT_LE(outcome.memory.ups.size() + outcome.memory.downs.size(), 4u);
}

}  // namespace
}  // namespace tidegate::autoscale
