#include "control/workload/rollout.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/random.h"

namespace tidegate::workload {
namespace {

using Sizes = std::vector<std::int64_t>;

TEST(Rollout, GrowsAsFarAsTheSurgeAllows) {
  EXPECT_EQ(grow_newest({4, 1, 0}, 0, 4), 1);
  EXPECT_EQ(grow_newest({4, 1, 0}, 1, 5), 1);
  EXPECT_EQ(grow_newest({4, 1, 0}, 1, 4), 2);
  EXPECT_EQ(grow_newest({4, 4, 0}, 0, 4), 4);
  EXPECT_EQ(grow_newest({2, 1, 0}, 5, 5), 2);  // scaled in
}

TEST(Rollout, ShrinksOnlyWhatCanBeSpared) {
  // Three old available, the new one not yet: nothing may go.
  EXPECT_EQ(shrink_older({3, 1, 0}, {1, 0}, {{3, 3}}), Sizes{3});
  EXPECT_EQ(shrink_older({3, 1, 0}, {1, 1}, {{3, 3}}), Sizes{2});
  EXPECT_EQ(shrink_older({3, 0, 1}, {0, 0}, {{3, 3}}), Sizes{2});
}

TEST(Rollout, UnavailableOldPodsGoFirst) {
  EXPECT_EQ(shrink_older({3, 1, 1}, {1, 1}, {{1, 0}, {2, 2}}), (Sizes{0, 1}));
  // A wholly broken old version does not hold up its replacement.
  EXPECT_EQ(shrink_older({2, 1, 0}, {1, 1}, {{2, 0}}), Sizes{1});
}

TEST(Rollout, ScalingInTheMiddleKeepsTheProportion) {
  EXPECT_EQ(scale_in_proportion({10, 2, 0}, 6, {3, 3}), (Sizes{6, 6}));
  EXPECT_EQ(scale_in_proportion({0, 1, 0}, 6, {2, 4}), (Sizes{0, 0}));
  const Sizes sizes = scale_in_proportion({15, 3, 0}, 13, {8, 5});
  EXPECT_EQ(std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}), 18);
}

// Whatever becomes available when, a rollout never leaves its limits and always ends.
TEST(Rollout, HoldsItsLimitsFromAnySeed) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    const auto replicas = static_cast<std::int64_t>(1 + random.below(20));
    RolloutLimits limits{replicas, static_cast<std::int64_t>(random.below(4)),
                         static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(replicas) + 1))};
    if (limits.max_surge == 0 && limits.max_unavailable == 0) limits.max_unavailable = 1;
    SetSize old{replicas, replicas};
    SetSize young{};
    int rounds = 0;
    while ((old.replicas > 0 || young.available < replicas) && rounds < 10'000) {
      ++rounds;
      young.replicas = grow_newest(limits, young.replicas, young.replicas + old.replicas);
      old.replicas = shrink_older(limits, young, {old}).front();
      old.available = std::min(old.available, old.replicas);
      ASSERT_LE(young.replicas + old.replicas, replicas + limits.max_surge) << "seed " << seed;
      ASSERT_GE(young.available + old.available, replicas - limits.max_unavailable) << "seed " << seed;
      if (young.available < young.replicas && random.below(2) == 0) ++young.available;
    }
    EXPECT_EQ(young.replicas, replicas) << "seed " << seed;
    EXPECT_EQ(old.replicas, 0) << "seed " << seed;
  }
}

}  // namespace
}  // namespace tidegate::workload
