#include "machine/usage.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace tidegate::machine {
namespace {

constexpr WallTime kStart{std::chrono::seconds(1'800'000'000)};

TEST(Usage, ReadsAProcessWhateverItsName) {
  const auto stat = read_process_stat(
      "42 (odd) name (x) S 1 40 40 0 -1 4194560 1 2 3 4 10 20 1 2 20 0 5 0 100 1000000 77 "
      "18446744073709551615");
  ASSERT_TRUE(stat.has_value());
  EXPECT_EQ(stat->group, 40);
  EXPECT_EQ(stat->cpu_ticks, 33u);
  EXPECT_EQ(stat->resident_pages, 77u);
  EXPECT_FALSE(read_process_stat("42 (short) S 1").has_value());
  EXPECT_FALSE(read_process_stat("").has_value());
}

TEST(Usage, FindsThisProcessesGroup) {
  const auto groups = sample_groups();
  ASSERT_TRUE(groups.contains(getpgrp()));
  EXPECT_GT(groups.at(getpgrp()).memory_bytes, 0u);
}

TEST(Usage, IsARateBetweenTwoLooks) {
  const UsageTarget target{{"default", "p"}, "home", "engine", 7, 1};
  UsageBook book;
  book.set_nodes({"home", "empty"});
  book.take({target}, {{7, {10.0, 100}}}, kStart);
  EXPECT_TRUE(book.pods().empty());
  EXPECT_TRUE(book.nodes().empty());
  book.take({target}, {{7, {15.0, 200}}}, kStart + std::chrono::seconds(10));
  ASSERT_EQ(book.pods().size(), 1u);
  EXPECT_DOUBLE_EQ(book.pods()[0].containers.at(0).usage.cpu_cores, 0.5);
  EXPECT_EQ(book.pods()[0].containers.at(0).usage.memory_bytes, 200u);
  EXPECT_EQ(book.pods()[0].window, std::chrono::seconds(10));
  ASSERT_EQ(book.nodes().size(), 2u);
  EXPECT_DOUBLE_EQ(book.nodes()[0].usage.cpu_cores, 0.5);
  EXPECT_EQ(book.nodes()[1].usage.memory_bytes, 0u);
  // The same number for another process starts anew.
  UsageTarget other = target;
  other.started = 2;
  book.take({other}, {{7, {1.0, 50}}}, kStart + std::chrono::seconds(20));
  EXPECT_TRUE(book.pods().empty());
}

}  // namespace
}  // namespace tidegate::machine
