#include "gateway/pick/block_index.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <thread>

#include "base/random.h"

namespace tidegate::pick {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kNow{1000s};

std::uint64_t key_of(std::uint64_t prompt, std::uint64_t block) { return mix64(prompt * 1000 + block + 1); }

TokenPoints points_of(std::uint64_t prompt, std::size_t count) {
  TokenPoints points;
  for (std::size_t i = 0; i < count; ++i)
    points.push(key_of(prompt, i), static_cast<std::uint32_t>(256 * (i + 1)), static_cast<std::uint16_t>(i),
                false);
  return points;
}

std::size_t held(const BlockIndex& index, PrefixId id, TokenPoints points, TimePoint now = kNow) {
  PrefixMatch match;
  index.match(points, now, match);
  return match.blocks(id);
}

void expect(BlockIndex& index, TokenPoints points, PrefixId id) {
  PrefixMatch match;
  index.match(points, kNow, match);
  index.expect(points, match, id, kNow);
}

TEST(HeldBytes, TheEnginesWordGoesBeforeTheGuessAsFarAsItReaches) {
  EXPECT_EQ(held_bytes(5000, 0, 4000, Trust::kNone), 5000U);
  EXPECT_EQ(held_bytes(5000, 0, 0, Trust::kWhole), 5000U);        // its tokens are not known
  EXPECT_EQ(held_bytes(5000, 1000, 4000, Trust::kWhole), 1000U);  // it was pushed out
  EXPECT_EQ(held_bytes(0, 1000, 4000, Trust::kWhole), 1000U);
  EXPECT_EQ(held_bytes(5000, 4000, 4000, Trust::kWhole), 5000U);  // behind what is known the guess counts
  EXPECT_EQ(held_bytes(5000, 1000, 4000, Trust::kPart), 5000U);
  EXPECT_EQ(held_bytes(0, 1000, 4000, Trust::kPart), 1000U);
}

TEST(BlockIndex, AnEndpointHoldsWhatItsEngineTold) {
  BlockIndex index;
  index.set_trust(5, Trust::kWhole);
  index.set_trust(2, Trust::kPart);
  for (std::size_t i = 0; i < 6; ++i) ASSERT_TRUE(index.store(5, key_of(1, i)));
  for (std::size_t i = 0; i < 3; ++i) ASSERT_TRUE(index.store(2, key_of(1, i)));
  TokenPoints points = points_of(1, 10);
  EXPECT_EQ(held(index, 5, points), 6U);
  EXPECT_EQ(held(index, 2, points), 3U);
  EXPECT_EQ(held(index, 3, points), 0U);
  PrefixMatch match;
  index.match(points, kNow, match);
  EXPECT_EQ(points.confirmed_bytes(), 6 * 256U);
  index.remove(5, key_of(1, 4));
  EXPECT_EQ(held(index, 5, points), 4U);  // without a gap
  index.remove(2, key_of(1, 0));
  EXPECT_EQ(held(index, 2, points), 0U);
  EXPECT_EQ(index.blocks(), 7U);
  index.clear(5, 5);
  EXPECT_EQ(held(index, 5, points), 0U);
  EXPECT_EQ(index.blocks(), 2U);
  EXPECT_TRUE(index.store(5, key_of(1, 0)));
  EXPECT_EQ(held(index, 5, points), 1U);
}

TEST(BlockIndex, WhatWasSentThereCountsForAWhile) {
  BlockIndex index;
  index.set_trust(1, Trust::kWhole);
  const TokenPoints points = points_of(1, 4);
  expect(index, points, 1);
  EXPECT_EQ(held(index, 1, points, kNow + 9s), 4U);
  EXPECT_EQ(held(index, 1, points, kNow + 12s), 0U);
  TokenPoints seen = points;
  PrefixMatch match;
  index.match(seen, kNow, match);
  EXPECT_EQ(seen.confirmed_bytes(), 0U);  // nobody said so
  // The engine tells of two, and later that one of them is gone.
  ASSERT_TRUE(index.store(1, key_of(1, 0)));
  ASSERT_TRUE(index.store(1, key_of(1, 1)));
  expect(index, points, 1);
  EXPECT_EQ(held(index, 1, points, kNow + 12s), 2U);
  index.remove(1, key_of(1, 1));
  EXPECT_EQ(held(index, 1, points, kNow), 1U);
  // Its cache was cleared: what was expected of it too.
  expect(index, points, 1);
  EXPECT_EQ(held(index, 1, points, kNow), 4U);
  index.clear(1, 1);
  EXPECT_EQ(held(index, 1, points, kNow), 0U);
  EXPECT_EQ(held(index, 1, points, kNow + 2048s), 0U);
}

TEST(BlockIndex, MemoryStaysWithinItsBound) {
  BlockIndex index(64 * 256);
  std::size_t refused = 0;
  for (std::uint64_t i = 0; i < 100'000; ++i) refused += index.store(1, key_of(7, i)) ? 0 : 1;
  EXPECT_LE(index.blocks(), 64U * 256);
  EXPECT_EQ(refused + index.blocks(), 100'000U);
  EXPECT_LE(index.memory_bytes(), std::size_t{64} * 512 * 64);
  for (std::uint64_t i = 0; i < 100'000; ++i) expect(index, points_of(i, 3), 2);
  EXPECT_LE(index.memory_bytes(), std::size_t{64} * 512 * 64);
  index.clear(1, index.blocks());
  EXPECT_TRUE(index.store(1, key_of(8, 1)));
}

TEST(BlockIndex, AgreesWithThePlainDefinition) {
  BlockIndex index;
  std::map<PrefixId, std::set<std::uint64_t>> plain;
  Random random(3);
  for (PrefixId id = 0; id < 6; ++id) index.set_trust(id, Trust::kWhole);
  for (int round = 0; round < 20'000; ++round) {
    const auto id = static_cast<PrefixId>(random.below(6));
    const std::uint64_t key = key_of(random.below(20), random.below(8));
    if (random.below(500) == 0) {
      index.clear(id, plain[id].size());
      plain[id].clear();
    } else if (random.below(3) == 0) {
      if (plain[id].erase(key) > 0) index.remove(id, key);
    } else if (plain[id].insert(key).second) {
      ASSERT_TRUE(index.store(id, key));
    }
    const std::uint64_t prompt = random.below(20);
    const TokenPoints points = points_of(prompt, 8);
    const auto asked = static_cast<PrefixId>(random.below(6));
    std::size_t expected = 0;
    while (expected < 8 && plain[asked].contains(key_of(prompt, expected))) ++expected;
    ASSERT_EQ(held(index, asked, points), expected) << round;
  }
  std::size_t total = 0;
  for (const auto& [id, keys] : plain) total += keys.size();
  EXPECT_EQ(index.blocks(), total);
}

TEST(BlockIndex, OneWritesWhileOthersRead) {
  BlockIndex index(1 << 14);
  index.set_trust(1, Trust::kWhole);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&index, t] {
      Random random(static_cast<std::uint64_t>(t));
      PrefixMatch match;
      for (int i = 0; i < 5000; ++i) {
        TokenPoints points = points_of(random.below(50), 8);
        index.match(points, kNow, match);
        ASSERT_LE(match.blocks(1), 8U);
        index.expect(points, match, 2, kNow);
      }
    });
  }
  Random random(9);
  std::set<std::uint64_t> held;
  for (int i = 0; i < 50'000; ++i) {
    const std::uint64_t key = key_of(random.below(50), random.below(8));
    if (held.erase(key) > 0) {
      index.remove(1, key);
    } else if (index.store(1, key)) {
      held.insert(key);
    }
  }
  threads.clear();
  EXPECT_EQ(index.blocks(), held.size());
}

}  // namespace
}  // namespace tidegate::pick
