#include <gtest/gtest.h>

#include <set>

#include "base/ascii.h"
#include "base/clock.h"
#include "base/quantity.h"
#include "base/random.h"

namespace tidegate {
namespace {

std::int64_t milli(std::string_view text) {
  const auto parsed = Quantity::parse(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed ? parsed->milli : -1;
}

TEST(Quantity, ReadsWhatKubernetesWrites) {
  EXPECT_EQ(milli("500m"), 500);
  EXPECT_EQ(milli("2"), 2000);
  EXPECT_EQ(milli("0.1"), 100);
  EXPECT_EQ(milli("1e3"), 1'000'000);
  EXPECT_EQ(milli("12Gi"), 12LL * 1024 * 1024 * 1024 * 1000);
  EXPECT_EQ(milli("1k"), 1'000'000);
  EXPECT_EQ(milli("100u"), 1) << "finer than a thousandth rounds up";
}

TEST(Quantity, RefusesTheRest) {
  for (const char* text : {"", "Gi", "1 Gi", "1gi", "0x10", "nan", "inf", "1e400", "10EiB", "--1"}) {
    EXPECT_FALSE(Quantity::parse(text).has_value()) << text;
  }
}

TEST(Quantity, PrintsShortest) {
  EXPECT_EQ(Quantity{500}.text(), "500m");
  EXPECT_EQ(Quantity{2000}.text(), "2");
  EXPECT_EQ(Quantity::parse("12Gi")->text(), "12Gi");
  EXPECT_EQ(Quantity{0}.text(), "0");
}

TEST(Random, RepeatsFromItsSeed) {
  Random a(7), b(7), c(8);
  EXPECT_EQ(a.next(), b.next());
  EXPECT_NE(a.next(), c.next());
}

TEST(Random, BelowStaysBelow) {
  Random random(1);
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.below(10));
  EXPECT_EQ(seen.size(), 10u);
  EXPECT_EQ(*seen.rbegin(), 9u);
}

TEST(Random, UuidHasVersionAndVariant) {
  Random random(3);
  const std::string uuid = random_uuid(random);
  ASSERT_EQ(uuid.size(), 36u);
  EXPECT_EQ(uuid[14], '4');
  EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos);
}

TEST(Clock, ManualClockMovesOnlyWhenTold) {
  ManualClock clock;
  const TimePoint before = clock.now();
  EXPECT_EQ(clock.now(), before);
  clock.advance(std::chrono::milliseconds(1500));
  EXPECT_EQ(milliseconds(clock.now() - before), 1500);
}

TEST(Clock, WritesTimesAsKubernetesDoes) {
  const WallTime time = WallTime{} + std::chrono::seconds(1'700'000'000) + std::chrono::milliseconds(42);
  EXPECT_EQ(rfc3339(time), "2023-11-14T22:13:20Z");
  EXPECT_EQ(rfc3339_ms(time), "2023-11-14T22:13:20.042Z");
}

TEST(Ascii, ComparesHeaderNames) {
  EXPECT_TRUE(ascii::equals_ignoring_case("Content-Length", "content-length"));
  EXPECT_FALSE(ascii::equals_ignoring_case("Content-Length", "content-lengt"));
  EXPECT_EQ(ascii::trim(" \t a b\t"), "a b");
}

// Byte by byte, at every length that the word-wise comparison treats in its own way.
TEST(Ascii, EveryByteComparesAsItsLetterDoes) {
  for (std::size_t size = 1; size <= 25; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      std::string one(size, 'q');
      std::string other(size, 'Q');
      for (int a = 0; a < 256; ++a) {
        one[at] = static_cast<char>(a);
        for (const int b : {a, a ^ 0x20, a ^ 0x80, a ^ 1, (a + 255) % 256, 0, int{'k'}, int{'K'}, 0xeb}) {
          other[at] = static_cast<char>(b);
          EXPECT_EQ(ascii::equals_ignoring_case(one, other), ascii::lower(one[at]) == ascii::lower(other[at]))
              << size << " " << at << " " << a << " " << b;
        }
      }
    }
  }
}

}  // namespace
}  // namespace tidegate
