#include "gateway/rewrite/split.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"

namespace tidegate::rewrite {
namespace {

constexpr std::uint64_t kLastPoint = ~std::uint64_t{0};

Target target(std::string model, std::optional<std::uint32_t> weight) {
  return {std::move(model), weight, {}};
}

Split split_of(std::vector<Target> targets) {
  auto split = Split::make("spec.targetModels", std::move(targets));
  EXPECT_TRUE(split.has_value()) << split.error().field << " " << split.error().message;
  return *std::move(split);
}

std::string error_field(std::vector<Target> targets) {
  const auto split = Split::make("spec.targetModels", std::move(targets));
  return split.has_value() ? "accepted" : split.error().field;
}

TEST(Split, TheOnlyTargetTakesEverything) {
  const Split split = split_of({target("sql-lora", 7)});
  EXPECT_EQ(split.draw(0)->model, "sql-lora");
  EXPECT_EQ(split.draw(kLastPoint)->model, "sql-lora");
  EXPECT_EQ(split.draw(0)->token, "\"sql-lora\"");
}

TEST(Split, SlicesLieInListOrderAndMeetWithoutGap) {
  const Split split = split_of({target("a", 1), target("b", 1)});
  constexpr std::uint64_t kHalf = std::uint64_t{1} << 63;
  EXPECT_EQ(split.draw(kHalf - 1)->model, "a");
  EXPECT_EQ(split.draw(kHalf)->model, "b");
}

TEST(Split, UnsetWeightsMeanEqualShares) {
  const Split split = split_of({target("a", {}), target("b", {}), target("c", {}), target("d", {})});
  for (std::size_t i = 0; i < 4; ++i) EXPECT_DOUBLE_EQ(split.share(i), 0.25);
}

TEST(Split, ADrainedTargetIsNeverDrawn) {
  const Split split =
      split_of({target("first", 0), target("a", 3), target("middle", 0), target("b", 1), target("last", 0)});
  EXPECT_DOUBLE_EQ(split.share(0), 0);
  EXPECT_DOUBLE_EQ(split.share(1), 0.75);
  EXPECT_EQ(split.draw(0)->model, "a");
  EXPECT_EQ(split.draw(kLastPoint)->model, "b");
  Random random(5);
  for (int i = 0; i < 100'000; ++i) {
    const std::string& model = split.draw(random.next())->model;
    ASSERT_TRUE(model == "a" || model == "b") << model;
  }
}

TEST(Split, AllZeroReservesTheName) {
  const Split split = split_of({target("a", 0), target("b", 0)});
  EXPECT_EQ(split.draw(0), nullptr);
  EXPECT_EQ(split.draw(kLastPoint), nullptr);
  EXPECT_DOUBLE_EQ(split.share(0), 0);
}

// Chi-square over a million draws and several seeds. 16.27 is its 0.1 % point at 3 degrees of freedom; a
// biased draw of even 0.3 % of the total fails every seed.
TEST(Split, DrawsAreUnbiased) {
  const Split split =
      split_of({target("a", 700'000), target("b", 200'000), target("c", 99'000), target("d", 1'000)});
  constexpr int kDraws = 1'000'000;
  int seeds_failed = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    Random random(seed);
    std::map<const Target*, int> count;
    for (int i = 0; i < kDraws; ++i) ++count[split.draw(random.next())];
    double chi_square = 0;
    for (std::size_t i = 0; i < split.targets().size(); ++i) {
      const double expected = split.share(i) * kDraws;
      const double surplus = count[&split.targets()[i]] - expected;
      chi_square += surplus * surplus / expected;
    }
    if (chi_square > 16.27) ++seeds_failed;
  }
  EXPECT_LE(seeds_failed, 1);
}

// A draw that depended on the one before would still have the right shares: pairs must be unbiased as
// well. 37.70 is the 0.1 % point at 15 degrees of freedom.
TEST(Split, ConsecutiveDrawsAreIndependent) {
  const Split split = split_of({target("a", 1), target("b", 1), target("c", 1), target("d", 1)});
  constexpr int kPairs = 400'000;
  int seeds_failed = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    Random random(seed);
    std::map<std::pair<const Target*, const Target*>, int> count;
    for (int i = 0; i < kPairs; ++i) {
      const Target* first = split.draw(random.next());
      ++count[{first, split.draw(random.next())}];
    }
    double chi_square = 0;
    for (const auto& [pair, n] : count)
      chi_square += (n - kPairs / 16.0) * (n - kPairs / 16.0) / (kPairs / 16.0);
    if (count.size() != 16 || chi_square > 37.70) ++seeds_failed;
  }
  EXPECT_LE(seeds_failed, 1);
}

TEST(Split, StickyPointsSpreadAndStay) {
  const Split split = split_of({target("canary", 10), target("stable", 90)});
  EXPECT_EQ(sticky_point("user-7", "lora-request"), sticky_point("user-7", "lora-request"));
  EXPECT_NE(sticky_point("user-7", "lora-request"), sticky_point("user-7", "other"));
  EXPECT_NE(sticky_point("ab", "c"), sticky_point("a", "bc"));
  int canary = 0;
  for (int user = 0; user < 100'000; ++user) {
    if (split.draw(sticky_point("user-" + std::to_string(user), "m"))->model == "canary") ++canary;
  }
  EXPECT_NEAR(canary, 10'000, 475);  // five standard deviations
}

// A sticky user keeps the target unless the weights move past him.
TEST(Split, RaisingTheCanaryMovesUsersOneWayOnly) {
  const Split before = split_of({target("canary", 10), target("stable", 90)});
  const Split after = split_of({target("canary", 25), target("stable", 75)});
  Random user_hash(42);
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t point = user_hash.next();
    if (before.draw(point)->model == "canary") {
      EXPECT_EQ(after.draw(point)->model, "canary");
    }
  }
}

TEST(Split, RefusesWithTheFieldThatIsWrong) {
  EXPECT_EQ(error_field({}), "spec.targetModels");
  EXPECT_EQ(error_field({target("a", 1), target("", 1)}), "spec.targetModels[1].name");
  EXPECT_EQ(error_field({target("a", 1), target("b", {})}), "spec.targetModels[1].weight");
  EXPECT_EQ(error_field({target("a", {}), target("b", 1)}), "spec.targetModels[1].weight");
  EXPECT_EQ(error_field({target("a", kWeightMax + 1)}), "spec.targetModels[0].weight");
}

}  // namespace
}  // namespace tidegate::rewrite
