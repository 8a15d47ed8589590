#include "engine/lora/residency.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace tidegate::lora {
namespace {

using Answer = Residency::Answer;

TimePoint at(int ms) { return TimePoint{} + std::chrono::milliseconds(ms); }

// Loads an adapter as the owner would: at once.
void bring(Residency& residency, AdapterId id, int ms = 0) {
  residency.add_user(id);
  EXPECT_EQ(residency.acquire(id, at(ms)).kind, Answer::kLoading);
  EXPECT_EQ(residency.next_load(), id);
  residency.loaded(id, at(ms), at(ms));
}

TEST(Residency, GoesFromDiskThroughMemoryIntoASlot) {
  Residency residency({.slots = 1, .memory_max = 1});
  const AdapterId id = residency.add("a");
  EXPECT_EQ(residency.place(id), Place::kDisk);
  bring(residency, id);
  EXPECT_EQ(residency.place(id), Place::kMemory);
  const Answer answer = residency.acquire(id, at(1));
  EXPECT_EQ(answer.kind, Answer::kReady);
  EXPECT_EQ(answer.slot, 0);
  EXPECT_TRUE(answer.placed);
  EXPECT_FALSE(residency.acquire(id, at(2)).placed) << "already there";
  EXPECT_EQ(residency.swaps(), 1u);
}

TEST(Residency, AsksForEachFileOnce) {
  Residency residency({.slots = 1, .memory_max = 1});
  const AdapterId id = residency.add("a");
  residency.acquire(id, at(0));
  residency.acquire(id, at(0));
  EXPECT_EQ(residency.next_load(), id);
  EXPECT_EQ(residency.next_load(), std::nullopt);
}

TEST(Residency, AModelledLoadTakesItsTime) {
  Residency residency({.slots = 1, .memory_max = 1});
  const AdapterId id = residency.add("a");
  residency.add_user(id);
  residency.acquire(id, at(0));
  residency.next_load();
  residency.loaded(id, at(50), at(0));
  EXPECT_EQ(residency.acquire(id, at(49)).kind, Answer::kLoading);
  EXPECT_EQ(residency.next_tick(), at(50));
  EXPECT_EQ(residency.acquire(id, at(50)).kind, Answer::kReady);
}

TEST(Residency, TheLeastRecentlyUsedUnpinnedAdapterLosesItsSlot) {
  Residency residency({.slots = 2, .memory_max = 3});
  const AdapterId a = residency.add("a"), b = residency.add("b"), c = residency.add("c");
  for (const AdapterId id : {a, b, c}) bring(residency, id);
  residency.acquire(a, at(1));
  residency.acquire(b, at(2));
  residency.acquire(a, at(3));
  residency.pin(a);
  EXPECT_EQ(residency.acquire(c, at(4)).kind, Answer::kReady);
  EXPECT_EQ(residency.place(b), Place::kMemory);
  residency.pin(c);
  EXPECT_EQ(residency.acquire(b, at(5)).kind, Answer::kFull);
  residency.unpin(c);
  EXPECT_EQ(residency.acquire(b, at(6)).slot, 1);
}

TEST(Residency, MemoryLetsTheOldestGoAndSaysSo) {
  Residency residency({.slots = 1, .memory_max = 2});
  const AdapterId a = residency.add("a"), b = residency.add("b"), c = residency.add("c");
  for (const AdapterId id : {a, b}) {
    bring(residency, id);
    residency.acquire(id, at(1));
  }
  residency.add_user(c);
  EXPECT_EQ(residency.acquire(c, at(2)).kind, Answer::kLoading);
  EXPECT_EQ(residency.place(a), Place::kDisk);
  const auto dropped = residency.take_dropped();
  ASSERT_EQ(dropped.size(), 1u);
  EXPECT_EQ(dropped[0].id, a);
  EXPECT_EQ(dropped[0].slot, -1) << "b has had its slot since";
  EXPECT_TRUE(residency.take_dropped().empty());
}

TEST(Residency, AnAwaitedAdapterIsNotThrownOutBeforeItsTurn) {
  Residency residency({.slots = 1, .memory_max = 1});
  const AdapterId a = residency.add("a"), b = residency.add("b");
  bring(residency, a);
  EXPECT_EQ(residency.acquire(b, at(1)).kind, Answer::kFull);
  residency.acquire(a, at(2));
  EXPECT_EQ(residency.acquire(b, at(3)).kind, Answer::kLoading);
  EXPECT_EQ(residency.place(a), Place::kDisk);
}

TEST(Residency, WhenTheWaitingRequestLeavesItsAdapterMayGo) {
  Residency residency({.slots = 1, .memory_max = 1});
  const AdapterId a = residency.add("a"), b = residency.add("b");
  bring(residency, a);
  residency.drop_user(a);
  EXPECT_EQ(residency.acquire(b, at(1)).kind, Answer::kLoading);
}

TEST(Residency, PrefetchFillsEmptyPlacesOnly) {
  Residency residency({.slots = 1, .memory_max = 1});
  const AdapterId a = residency.add("a"), b = residency.add("b");
  EXPECT_TRUE(residency.prefetch(a));
  EXPECT_FALSE(residency.prefetch(b));
  EXPECT_EQ(residency.next_load(), a);
}

TEST(Residency, AFailedLoadFreesThePlaceAndMayBeTriedAgain) {
  Residency residency({.slots = 1, .memory_max = 1});
  const AdapterId a = residency.add("a");
  residency.acquire(a, at(0));
  residency.next_load();
  residency.failed(a);
  EXPECT_EQ(residency.place(a), Place::kDisk);
  EXPECT_EQ(residency.in_memory(), 0u);
  EXPECT_EQ(residency.acquire(a, at(1)).kind, Answer::kLoading);
}

TEST(Residency, ARemovedAdapterServesItsLastUserThenRetires) {
  Residency residency({.slots = 1, .memory_max = 1});
  const AdapterId a = residency.add("a");
  bring(residency, a);
  residency.acquire(a, at(0));
  residency.pin(a);
  residency.remove(a);
  EXPECT_EQ(residency.place(a), Place::kSlot);
  residency.unpin(a);
  residency.drop_user(a);
  EXPECT_EQ(residency.place(a), Place::kRetired);
  EXPECT_EQ(residency.in_slot(0), kBase);
}

TEST(Residency, LimitsHoldOverRandomWork) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    const Limits limits{.slots = 1 + random.below(4), .memory_max = 1 + random.below(6)};
    const std::size_t memory_max = std::max(limits.slots, limits.memory_max);
    Residency residency(limits);
    constexpr AdapterId kAdapters = 9;
    for (AdapterId id = 1; id <= kAdapters; ++id) {
      residency.add("a");
      residency.add_user(id);
    }
    std::vector<AdapterId> pinned;
    for (int turn = 0; turn < 5000; ++turn) {
      const auto id = static_cast<AdapterId>(1 + random.below(kAdapters));
      const TimePoint now = at(turn);
      if (random.below(3) > 0) {
        const Answer answer = residency.acquire(id, now);
        if (answer.kind == Answer::kReady) {
          EXPECT_EQ(residency.in_slot(static_cast<std::size_t>(answer.slot)), id);
          residency.pin(id);
          pinned.push_back(id);
        }
      } else if (!pinned.empty()) {
        const std::size_t i = random.below(pinned.size());
        residency.unpin(pinned[i]);
        pinned.erase(pinned.begin() + static_cast<std::ptrdiff_t>(i));
      }
      while (const auto load = residency.next_load()) {
        if (random.below(5) == 0) {
          residency.failed(*load);
        } else {
          residency.loaded(*load, now + std::chrono::milliseconds(random.below(5)), now);
        }
      }
      ASSERT_LE(residency.in_memory(), memory_max);
      for (const AdapterId held : pinned) ASSERT_EQ(residency.place(held), Place::kSlot);
    }
  }
}

}  // namespace
}  // namespace tidegate::lora
