#include "gateway/pick/prefix_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"

namespace tidegate::pick {
namespace {

std::string text_of(std::uint64_t seed, std::size_t bytes) {
  Random random(seed);
  std::string text(bytes, ' ');
  for (char& c : text) c = static_cast<char>('a' + random.below(26));
  return text;
}

PromptKeys keys_of(std::string_view prompt, std::uint64_t seed = 1) {
  PromptKeys keys;
  keys.hash(seed, prompt);
  return keys;
}

std::uint32_t held(const PrefixIndex& index, const PrefixSlot& slot, std::string_view prompt,
                   std::uint64_t seed = 1) {
  PrefixMatch match;
  const PromptKeys keys = keys_of(prompt, seed);
  index.match(keys, match);
  return match.bytes(keys, slot.id());
}

TEST(PromptKeys, TwoPromptsShareKeysExactlyAsFarAsTheyAreEqual) {
  const std::string base = text_of(1, 300'000);
  const PromptKeys keys = keys_of(base);
  Random random(2);
  for (int round = 0; round < 200; ++round) {
    std::string other = base.substr(0, 1 + random.below(base.size()));
    const std::size_t changed = random.below(other.size());
    other[changed] = '!';
    const PromptKeys others = keys_of(other);
    for (std::size_t block = 0; block < others.size(); ++block)
      ASSERT_EQ(others.key(block) == keys.key(block), others.bytes(block + 1) <= changed) << changed;
  }
}

TEST(PromptKeys, BlocksGrowWithDepthAndEndAtTheBound) {
  EXPECT_TRUE(keys_of(text_of(1, 255)).empty());
  EXPECT_EQ(keys_of(text_of(1, 256)).size(), 1U);
  EXPECT_EQ(keys_of(text_of(1, 1000)).bytes(3), 768U);
  const PromptKeys longest = keys_of(text_of(1, 2'000'000));
  EXPECT_LE(longest.size(), PromptKeys::kBlocksMax);
  EXPECT_EQ(longest.bytes(longest.size()), PromptKeys::kPromptBytesMax);
  EXPECT_EQ(longest.prompt_bytes(), 2'000'000U);
}

TEST(PromptKeys, TheSeedIsPartOfEveryKey) {
  const std::string text = text_of(1, 4096);
  const PromptKeys a = keys_of(text, 1);
  const PromptKeys b = keys_of(text, 2);
  for (std::size_t block = 0; block < a.size(); ++block) EXPECT_NE(a.key(block), b.key(block));
}

TEST(HashBytes, EveryBitOfLengthSeedAndContentCounts) {
  std::set<std::uint64_t> seen;
  std::size_t made = 0;
  for (std::size_t length = 0; length < 200; ++length) {
    std::string text(length, '\0');
    seen.insert(hash_bytes(text, 1));
    ++made;
    for (std::size_t bit = 0; bit < length * 8; bit += 7) {
      text[bit / 8] = static_cast<char>(1 << bit % 8);
      seen.insert(hash_bytes(text, 1));
      text[bit / 8] = 0;
      ++made;
    }
  }
  EXPECT_EQ(seen.size(), made);
  EXPECT_NE(hash_bytes("abc", 1), hash_bytes("abc", 2));
}

TEST(PrefixIndex, AnEndpointHoldsWhatItWasSent) {
  PrefixIndex index;
  const PrefixSlot a = index.add();
  const PrefixSlot b = index.add();
  const std::string turn = text_of(3, 6000);
  constexpr std::uint32_t kHeld = 4096 + 3 * 512;  // its whole blocks
  index.insert(keys_of(turn), a.id());
  EXPECT_EQ(held(index, a, turn), kHeld);
  EXPECT_EQ(held(index, b, turn), 0U);
  EXPECT_EQ(held(index, a, turn + text_of(4, 9000)), kHeld);          // the next turn
  EXPECT_EQ(held(index, a, turn.substr(0, 700)), 512U);               // a shorter one
  EXPECT_EQ(held(index, a, turn, 2), 0U);                             // another adapter
  EXPECT_EQ(held(index, a, text_of(5, 300) + turn.substr(300)), 0U);  // only its end is equal
}

TEST(PrefixIndex, AnEndpointThatLeavesOrRestartsHoldsNothing) {
  PrefixIndex index;
  PrefixSlot a = index.add();
  const std::string text = text_of(3, 6000);
  index.insert(keys_of(text), a.id());
  a.forget();
  EXPECT_EQ(held(index, a, text), 0U);
  index.insert(keys_of(text), a.id());
  EXPECT_GT(held(index, a, text), 0U);
  const PrefixId before = a.id();
  a = PrefixSlot();
  const PrefixSlot next = index.add();
  EXPECT_EQ(next.id(), before);  // the place is used again
  EXPECT_EQ(held(index, next, text), 0U);
}

TEST(PrefixIndex, ADefaultSlotHoldsNothing) {
  PrefixIndex index;
  const PrefixSlot none;
  index.insert(keys_of(text_of(1, 5000)), none.id());
  EXPECT_EQ(index.blocks(), 0U);
  EXPECT_EQ(held(index, none, text_of(1, 5000)), 0U);
}

TEST(PrefixIndex, WhatWasUsedLastStaysLongest) {
  PrefixIndex index;
  PrefixSlot a = index.add();
  a.set_capacity(400'000);
  const std::string kept = text_of(1, 10'000);
  index.insert(keys_of(kept), a.id());
  for (std::uint64_t i = 0; i < 200; ++i) {  // five times the cache
    index.insert(keys_of(text_of(100 + i, 10'000)), a.id());
    if (i % 10 == 0) index.insert(keys_of(kept), a.id());
  }
  EXPECT_GT(held(index, a, kept), 9000U);
  EXPECT_GT(held(index, a, text_of(100 + 199, 10'000)), 9000U);
  EXPECT_GT(held(index, a, text_of(100 + 170, 10'000)), 9000U);  // 300,000 bytes ago
  EXPECT_EQ(held(index, a, text_of(100 + 150, 10'000)), 0U);     // 490,000 bytes ago
  EXPECT_LE(index.bytes_held(a.id()), 400'000U);
}

TEST(PrefixIndex, MemoryStaysWithinItsBound) {
  PrefixIndex index(64 * 256);
  std::vector<PrefixSlot> slots;
  for (int i = 0; i < 8; ++i) {
    slots.push_back(index.add());
    slots.back().set_capacity(1'000'000'000);
  }
  Random random(1);
  for (std::uint64_t i = 0; i < 20'000; ++i)
    index.insert(keys_of(text_of(i, 8000)), slots[random.below(8)].id());
  EXPECT_LE(index.blocks(), 64U * 512 * 3 / 4);
  EXPECT_LE(index.memory_bytes(), std::size_t{64} * 512 * 64);
  // And it still works.
  const std::string text = text_of(7, 8000);
  index.insert(keys_of(text), slots[0].id());
  EXPECT_GT(held(index, slots[0], text), 4000U);
}

TEST(PrefixIndex, ABlockThatEverybodyHoldsIsRememberedForSixtyFour) {
  PrefixIndex index;
  std::vector<PrefixSlot> slots;
  const std::string text = text_of(1, 3000);
  for (int i = 0; i < 200; ++i) {
    slots.push_back(index.add());
    index.insert(keys_of(text), slots.back().id());
    EXPECT_GT(held(index, slots.back(), text), 0U);  // the newest always
  }
  const auto holders =
      std::ranges::count_if(slots, [&](const PrefixSlot& slot) { return held(index, slot, text) > 0; });
  EXPECT_EQ(holders, 64);
}

// The twin: per endpoint a list of generations, each a set of keys; looked up by going through all of them.
class PlainIndex {
 public:
  PlainIndex(std::size_t endpoints, std::uint64_t capacity) : capacity_(capacity), caches_(endpoints) {}

  std::uint32_t match(const PromptKeys& keys, std::size_t endpoint) const {
    std::size_t blocks = 0;
    while (blocks < keys.size() && find(endpoint, keys.key(blocks)) != nullptr) ++blocks;
    return keys.bytes(blocks);
  }
  void insert(const PromptKeys& keys, std::size_t endpoint) {
    Cache& cache = caches_[endpoint];
    if (cache.generations.empty()) cache.generations.emplace_back();
    for (std::size_t block = 0; block < keys.size(); ++block) {
      for (auto& generation : cache.generations) generation.erase(keys.key(block));
      cache.generations.back()[keys.key(block)] = keys.bytes(block + 1) - keys.bytes(block);
    }
    if (total(cache.generations.back()) >= capacity_ / PrefixIndex::kGenerations)
      cache.generations.emplace_back();
    while (cache.generations.size() > 1 && all(cache) > capacity_) cache.generations.pop_front();
  }

 private:
  using Generation = std::map<std::uint64_t, std::uint32_t>;
  struct Cache {
    std::deque<Generation> generations;
  };
  static std::uint64_t total(const Generation& generation) {
    std::uint64_t sum = 0;
    for (const auto& [key, bytes] : generation) sum += bytes;
    return sum;
  }
  static std::uint64_t all(const Cache& cache) {
    std::uint64_t sum = 0;
    for (const Generation& generation : cache.generations) sum += total(generation);
    return sum;
  }
  const std::uint32_t* find(std::size_t endpoint, std::uint64_t key) const {
    for (const Generation& generation : caches_[endpoint].generations) {
      const auto found = generation.find(key);
      if (found != generation.end()) return &found->second;
    }
    return nullptr;
  }
  std::uint64_t capacity_;
  std::vector<Cache> caches_;
};

TEST(PrefixIndex, AgreesWithThePlainDefinition) {
  constexpr std::size_t kEndpoints = 5;
  for (const std::uint64_t capacity : {20'000U, 150'000U}) {
    PrefixIndex index;
    PlainIndex plain(kEndpoints, capacity);
    std::vector<PrefixSlot> slots;
    for (std::size_t i = 0; i < kEndpoints; ++i) {
      slots.push_back(index.add());
      slots.back().set_capacity(capacity);
    }
    Random random(capacity);
    std::vector<std::string> conversations(12);
    PrefixMatch match;
    std::size_t found = 0;
    for (int round = 0; round < 3000; ++round) {
      std::string& conversation = conversations[random.below(conversations.size())];
      if (conversation.size() > 15'000 || random.below(20) == 0) conversation.clear();
      if (conversation.empty()) conversation = text_of(random.below(3), 1000);  // one of three system prompts
      conversation += text_of(random.next(), random.below(2500));
      const PromptKeys keys = keys_of(conversation, random.below(8) == 0 ? 2 : 1);
      index.match(keys, match);
      for (std::size_t i = 0; i < kEndpoints; ++i) {
        const std::uint32_t expected = plain.match(keys, i);
        ASSERT_EQ(match.bytes(keys, slots[i].id()), expected) << "round " << round << " endpoint " << i;
        found += expected > 0 ? 1 : 0;
      }
      const std::size_t chosen = random.below(kEndpoints);
      index.insert(keys, slots[chosen].id());
      plain.insert(keys, chosen);
    }
    EXPECT_GT(found, 1000U);
  }
}

TEST(PrefixIndex, ManyThreadsUseItAtOnce) {
  PrefixIndex index(64 * 64);
  std::vector<PrefixSlot> slots;
  for (int i = 0; i < 4; ++i) {
    slots.push_back(index.add());
    slots.back().set_capacity(100'000);
  }
  std::vector<std::jthread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&index, &slots, t] {
      Random random(t);
      PrefixMatch match;
      for (int i = 0; i < 2000; ++i) {
        const PromptKeys keys = keys_of(text_of(random.below(50), 4000));
        index.match(keys, match);
        index.insert(keys, slots[random.below(4)].id());
        if (i % 500 == 0) slots[t].forget();
      }
    });
  }
  threads.clear();
  for (const PrefixSlot& slot : slots) EXPECT_LE(index.bytes_held(slot.id()), 100'000U);
}

}  // namespace
}  // namespace tidegate::pick
