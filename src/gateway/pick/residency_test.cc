#include "gateway/pick/residency.h"

#include <gtest/gtest.h>

#include <list>

#include "base/random.h"

namespace tidegate::pick {
namespace {

TimePoint at(std::int64_t ms) { return TimePoint{} + std::chrono::milliseconds(ms); }

TEST(Residency, FillsThenPushesOutTheLeastRecentlyUsed) {
  Residency residency(2);
  EXPECT_EQ(residency.place(1), AdapterPlace::kRoom);
  residency.touch(1, at(1));
  residency.touch(2, at(2));
  EXPECT_EQ(residency.place(1), AdapterPlace::kResident);
  EXPECT_EQ(residency.place(3), AdapterPlace::kFull);
  residency.touch(1, at(3));
  residency.touch(3, at(4));
  EXPECT_EQ(residency.place(1), AdapterPlace::kResident);
  EXPECT_EQ(residency.place(2), AdapterPlace::kFull);
  EXPECT_EQ(residency.place(3), AdapterPlace::kResident);
  EXPECT_EQ(residency.place(kNoAdapter), AdapterPlace::kNotAsked);
}

TEST(Residency, ShrinkingKeepsTheMostRecentlyUsed) {
  Residency residency(4);
  for (AdapterId id = 1; id <= 4; ++id) residency.touch(id, at(id));
  residency.set_slots(2);
  EXPECT_EQ(residency.resident_count(), 2U);
  EXPECT_EQ(residency.place(4), AdapterPlace::kResident);
  EXPECT_EQ(residency.place(3), AdapterPlace::kResident);
  EXPECT_EQ(residency.place(1), AdapterPlace::kFull);
  residency.set_slots(3);
  EXPECT_EQ(residency.place(1), AdapterPlace::kRoom);
  residency.set_slots(100'000);
  EXPECT_EQ(residency.slots(), Residency::kSlotsMax);
  residency.set_slots(0);
  EXPECT_EQ(residency.slots(), 1U);
}

TEST(Residency, ForgettingFreesTheSlot) {
  Residency residency(1);
  residency.touch(7, at(1));
  residency.forget(8);
  EXPECT_EQ(residency.place(7), AdapterPlace::kResident);
  residency.forget(7);
  EXPECT_EQ(residency.place(7), AdapterPlace::kRoom);
  residency.touch(7, at(1));
  residency.clear();
  EXPECT_EQ(residency.resident_count(), 0U);
}

TEST(Residency, TheClockMayWrap) {
  Residency residency(2);
  constexpr std::int64_t kWrap = std::int64_t{1} << 32;
  residency.touch(1, at(kWrap - 10));
  residency.touch(2, at(kWrap + 10));
  residency.touch(3, at(kWrap + 20));
  EXPECT_EQ(residency.place(1), AdapterPlace::kFull);
  EXPECT_EQ(residency.place(2), AdapterPlace::kResident);
}

// The twin: a list in order of use, as an engine keeps it.
TEST(Residency, AgreesWithAPlainLru) {
  for (const std::uint32_t slots : {1U, 3U, 8U, 64U}) {
    Residency residency(slots);
    std::list<AdapterId> lru;
    Random random(slots);
    for (int step = 0; step < 20'000; ++step) {
      const auto id = static_cast<AdapterId>(1 + random.below(slots * 2));
      ASSERT_EQ(residency.place(id) == AdapterPlace::kResident,
                std::find(lru.begin(), lru.end(), id) != lru.end());
      residency.touch(id, at(step));
      lru.remove(id);
      lru.push_front(id);
      if (lru.size() > slots) lru.pop_back();
    }
    EXPECT_EQ(residency.resident_count(), lru.size());
  }
}

TEST(AdapterIdentity, IsNeverTheEmptyOne) {
  EXPECT_EQ(adapter_id("sql-lora"), adapter_id("sql-lora"));
  EXPECT_NE(adapter_id("sql-lora"), adapter_id("sql-lora-1"));
  EXPECT_NE(adapter_id(""), kNoAdapter);
}

}  // namespace
}  // namespace tidegate::pick
