#include "engine/latency/profile.h"

#include <gtest/gtest.h>

#include "engine/latency/lengths.h"

namespace tidegate::latency {
namespace {

Profile profile_of(std::string_view name) {
  auto profile = find_profile(name);
  EXPECT_TRUE(profile.has_value());
  return *profile;
}

TEST(Profile, DecodeAtBatchOneIsNearThePublishedRates) {
  const auto per_second = [](std::string_view name, std::size_t context) {
    return 1000 / step_ms(profile_of(name), {.decodes = 1, .decode_context = context});
  };
  EXPECT_NEAR(per_second("qwen2.5-7b-a100", 1), 84.3, 4);
  EXPECT_NEAR(per_second("qwen2.5-7b-a100", 6'000), 80.7, 4);
  EXPECT_NEAR(per_second("qwen2.5-7b-a100", 31'000), 70.3, 4);
}

TEST(Profile, LinearLayersFollowTheTableAndGoOnBeyondIt) {
  Profile profile = profile_of("llama-2-7b-a100");
  profile.fixed_ms = profile.prefill_square_ms = 0;
  const auto prefill = [&](std::size_t tokens) { return step_ms(profile, {.prefill = {{0, tokens}}}); };
  EXPECT_DOUBLE_EQ(prefill(512), 33.4);
  EXPECT_DOUBLE_EQ(prefill(768), (33.4 + 67.9) / 2);
  EXPECT_NEAR(prefill(8192), 258 + 2 * (258 - 133), 1e-9);
}

TEST(Profile, AdaptersSlowTheStepAndSlotLoadsAddToIt) {
  const Profile profile = profile_of("llama-3-8b-h100");
  StepShape shape{.decodes = 8, .decode_context = 800};
  const double base = step_ms(profile, shape);
  shape.adapters = 4;
  EXPECT_DOUBLE_EQ(step_ms(profile, shape), base * (2.0 + .019 * 4));
  shape.slot_loads = 2;
  EXPECT_DOUBLE_EQ(step_ms(profile, shape), base * (2.0 + .019 * 4) + 2 * profile.slot_load_ms);
}

TEST(Profile, AChunkCostsMoreTheLaterItStarts) {
  const Profile profile = profile_of("llama-2-7b-a100");
  EXPECT_GT(step_ms(profile, {.prefill = {{3000, 500}}}), step_ms(profile, {.prefill = {{0, 500}}}));
}

TEST(Profile, LoadFactorReachesItsValueAtAFullBatch) {
  Profile profile = profile_of("instant");
  profile.fixed_ms = 10;
  profile.load_factor = 3;
  EXPECT_DOUBLE_EQ(step_ms(profile, {.decodes = 1, .sequences_max = 5}), 10);
  EXPECT_DOUBLE_EQ(step_ms(profile, {.decodes = 5, .sequences_max = 5}), 30);
}

TEST(Profile, UnknownNamesAreAnsweredWithTheKnownOnes) {
  const auto missing = find_profile("abacus");
  ASSERT_FALSE(missing.has_value());
  EXPECT_NE(missing.error().message.find("llama-2-7b-a10"), std::string::npos);
}

TEST(Profile, EveryProfileIsUsable) {
  for (const Profile& profile : profiles()) {
    double last = -1;
    for (const std::size_t tokens : {1u, 64u, 200u, 600u, 3000u, 9000u}) {
      const double ms = step_ms(profile, {.prefill = {{0, tokens}}});
      EXPECT_GE(ms, last) << profile.name << " at " << tokens;
      last = ms;
    }
    EXPECT_GE(kv_blocks(profile, .9, 16, 0, 0, 1), 129u) << profile.name;
  }
}

TEST(Profile, SlotsTakeRoomFromTheCache) {
  const Profile profile = profile_of("llama-3-8b-h100");
  const auto tokens = [&](std::size_t slots, std::size_t rank) {
    return kv_blocks(profile, .9, 16, slots, rank, 1) * 16;
  };
  // vLLM 0.8.5 on this shape left 305 k tokens at 8 slots of rank 8 and 212 k at 128 of rank 16.
  EXPECT_NEAR(static_cast<double>(tokens(8, 8)), 305e3, 60e3);
  EXPECT_NEAR(static_cast<double>(tokens(128, 16)), 212e3, 60e3);
}

TEST(Lengths, FollowTheBuckets) {
  Random random(7);
  std::array<int, 6> counts{};
  constexpr int kDraws = 20'000;
  for (int i = 0; i < kDraws; ++i) {
    const std::size_t length = answer_length(600, true, random);
    ASSERT_GE(length, 1u);
    ASSERT_LE(length, 600u);
    ++counts[length <= 20    ? 0
             : length <= 40  ? 1
             : length <= 60  ? 2
             : length <= 560 ? 3
             : length <= 580 ? 4
                             : 5];
  }
  constexpr std::array<double, 6> kShares = {.2, .3, .2, .05, .1, .15};
  for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(counts[i] / double(kDraws), kShares[i], .012);
}

TEST(Lengths, StayInsideTheLimit) {
  Random random(7);
  for (std::size_t max = 1; max < 130; ++max) {
    for (int i = 0; i < 50; ++i) {
      const std::size_t length = answer_length(max, true, random);
      ASSERT_GE(length, 1u);
      ASSERT_LE(length, max);
    }
  }
  double sum = 0;
  for (int i = 0; i < 10'000; ++i) sum += static_cast<double>(answer_length(4000, false, random));
  EXPECT_NEAR(sum / 10'000, 40, 1.5);
}

}  // namespace
}  // namespace tidegate::latency
