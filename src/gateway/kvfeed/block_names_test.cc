#include "gateway/kvfeed/block_names.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"

namespace tidegate::kvfeed {
namespace {

TEST(BlockNames, ABlockIsGoneWhenItIsGoneFromAllPlaces) {
  BlockNames names;
  EXPECT_FALSE(names.find(7));
  EXPECT_FALSE(names.remove(7, BlockNames::kGpu));
  EXPECT_TRUE(names.add(7, 70, BlockNames::kGpu));
  EXPECT_FALSE(names.add(7, 70, BlockNames::kElsewhere));
  EXPECT_FALSE(names.remove(7, BlockNames::kGpu));
  EXPECT_EQ(names.find(7), 70U);
  EXPECT_FALSE(names.remove(7, BlockNames::kGpu));  // told twice
  EXPECT_EQ(names.remove(7, BlockNames::kElsewhere), 70U);
  EXPECT_FALSE(names.find(7));
  EXPECT_EQ(names.size(), 0U);
}

TEST(BlockNames, AgreesWithAMapWhateverComesAndGoes) {
  BlockNames names;
  std::map<std::uint64_t, std::uint64_t> plain;
  Random random(5);
  for (int i = 0; i < 50'000; ++i) {
    const std::uint64_t hash = random.below(2000);  // 0 is a hash like others
    if (random.below(2) == 0) {
      const std::uint64_t key = random.next();
      ASSERT_EQ(names.add(hash, key, BlockNames::kGpu), plain.emplace(hash, key).second);
    } else {
      const auto known = plain.find(hash);
      const auto removed = names.remove(hash, BlockNames::kGpu);
      ASSERT_EQ(removed.has_value(), known != plain.end());
      if (!removed) continue;
      ASSERT_EQ(*removed, known->second);
      plain.erase(known);
    }
  }
  ASSERT_EQ(names.size(), plain.size());
  for (const auto& [hash, key] : plain) ASSERT_EQ(names.find(hash), key);
  names.clear();
  EXPECT_FALSE(names.find(plain.begin()->first));
}

}  // namespace
}  // namespace tidegate::kvfeed
