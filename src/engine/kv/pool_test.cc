#include "engine/kv/pool.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/random.h"

namespace tidegate::kv {
namespace {

BlockHash hash_of(std::uint8_t name) {
  BlockHash hash;
  hash.bytes[0] = name;
  return hash;
}

std::vector<BlockId> take(BlockPool& pool, std::size_t count) {
  std::vector<BlockId> table;
  EXPECT_TRUE(pool.take(count, table));
  return table;
}

std::vector<BlockId> find(const BlockPool& pool, std::vector<BlockHash> hashes) {
  std::vector<BlockId> found;
  pool.find(hashes, found);
  return found;
}

TEST(BlockPool, GivesEveryBlockOnceAndNeverTheNullBlock) {
  BlockPool pool(5);
  const auto table = take(pool, 4);
  EXPECT_EQ(std::set<BlockId>(table.begin(), table.end()), (std::set<BlockId>{1, 2, 3, 4}));
  EXPECT_DOUBLE_EQ(pool.usage(), 1.0);
}

TEST(BlockPool, TakesAllOrNone) {
  BlockPool pool(4);
  std::vector<BlockId> table;
  EXPECT_FALSE(pool.take(4, table));
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(pool.free(), 3u);
}

TEST(BlockPool, EvictsTheLongestFreeAndTheDeepestOfOneSequenceFirst) {
  BlockPool pool(4);
  const auto table = take(pool, 3);  // 1 2 3
  pool.release(table);               // freed as 3 2 1
  EXPECT_EQ(take(pool, 3), (std::vector<BlockId>{3, 2, 1}));
}

TEST(BlockPool, FindsPublishedBlocksUntilTheyAreTaken) {
  BlockPool pool(4);
  const auto table = take(pool, 2);
  pool.publish(table[0], hash_of(1));
  pool.publish(table[1], hash_of(2));
  pool.release(table);
  EXPECT_EQ(find(pool, {hash_of(1), hash_of(2), hash_of(3)}), table);
  EXPECT_EQ(find(pool, {hash_of(3), hash_of(1)}), std::vector<BlockId>{}) << "a run starts at the first hash";

  take(pool, 2);  // block 3, then the deepest of the freed ones
  EXPECT_EQ(find(pool, {hash_of(1), hash_of(2)}), std::vector<BlockId>{table[0]});
}

TEST(BlockPool, AHitLeavesTheFreeListAndCannotBeTaken) {
  BlockPool pool(3);
  const auto table = take(pool, 1);
  pool.publish(table[0], hash_of(1));
  pool.release(table);
  const auto hit = find(pool, {hash_of(1)});
  EXPECT_EQ(pool.unheld(hit), 1u);
  pool.hold(hit);
  pool.hold(hit);
  EXPECT_EQ(pool.unheld(hit), 0u);
  std::vector<BlockId> other;
  EXPECT_FALSE(pool.take(2, other));
  pool.release(hit);
  EXPECT_EQ(pool.free(), 1u) << "one holder is left";
}

TEST(BlockPool, KeepsDuplicatesAndFindsTheOtherWhenOneGoes) {
  BlockPool pool(3);
  const auto a = take(pool, 1);
  const auto b = take(pool, 1);
  pool.publish(a[0], hash_of(7));
  pool.publish(b[0], hash_of(7));
  pool.release(a);
  take(pool, 1);  // takes a's block again, forgetting it
  EXPECT_EQ(find(pool, {hash_of(7)}), b);
}

TEST(BlockPool, ForgetsAllOnlyWhenNobodyHoldsABlock) {
  BlockPool pool(3);
  const auto table = take(pool, 1);
  pool.publish(table[0], hash_of(1));
  EXPECT_FALSE(pool.forget_all());
  pool.release(table);
  EXPECT_TRUE(pool.forget_all());
  EXPECT_TRUE(find(pool, {hash_of(1)}).empty());
  EXPECT_EQ(pool.published(), 0u);
}

TEST(BlockPool, RecordsStoredAndRemoved) {
  BlockPool pool(2);
  pool.record_events(true);
  const auto table = take(pool, 1);
  pool.publish(table[0], hash_of(1));
  pool.release(table);
  take(pool, 1);
  const auto events = pool.take_events();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].kind, BlockPool::Event::kStored);
  EXPECT_EQ(events[1].kind, BlockPool::Event::kRemoved);
  EXPECT_EQ(events[1].hash, hash_of(1));
}

// Against a plain model: a multiset of holders per block, whatever the order of operations.
TEST(BlockPool, NeverLeaksOverRandomWork) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    BlockPool pool(40);
    std::vector<std::vector<BlockId>> tables;
    std::map<BlockId, std::uint32_t> holders;
    for (int turn = 0; turn < 3000; ++turn) {
      const auto choice = random.below(4);
      if (choice == 0) {
        std::vector<BlockId> table;
        const std::size_t count = random.below(6);
        if (pool.take(count, table)) {
          for (const BlockId id : table) EXPECT_EQ(++holders[id], 1u) << "block " << id << " was given twice";
          tables.push_back(table);
        } else {
          EXPECT_GT(count, pool.free());
        }
      } else if (choice == 1 && !tables.empty()) {
        const std::size_t victim = random.below(tables.size());
        for (const BlockId id : tables[victim]) --holders[id];
        pool.release(tables[victim]);
        tables.erase(tables.begin() + static_cast<std::ptrdiff_t>(victim));
      } else if (choice == 2 && !tables.empty()) {
        for (const BlockId id : tables[random.below(tables.size())]) {
          pool.publish(id, hash_of(static_cast<std::uint8_t>(random.below(12))));
        }
      } else {
        const auto found = find(pool, {hash_of(static_cast<std::uint8_t>(random.below(12)))});
        pool.hold(found);
        for (const BlockId id : found) ++holders[id];
        if (!found.empty()) tables.push_back(found);
      }
      std::size_t held = 0;
      for (const auto& [id, count] : holders) {
        EXPECT_EQ(pool.holders(id), count);
        held += count > 0;
      }
      ASSERT_EQ(pool.free() + held, pool.capacity());
    }
  }
}

}  // namespace
}  // namespace tidegate::kv
