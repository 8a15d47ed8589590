#include "telemetry/process.h"

#include <gtest/gtest.h>

namespace tidegate::telemetry {
namespace {

TEST(ProcessStat, ReadsPastACommandWithBlanksAndBrackets) {
  const auto stat = parse_process_stat(
      "4711 (a ) R 9) S 1 4711 4711 0 -1 4194560 1000 0 0 0 250 50 0 0 20 0 7 0 12345 104857600 2560 "
      "18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0\n",
      100, 4096);
  ASSERT_TRUE(stat.has_value());
  EXPECT_DOUBLE_EQ(stat->cpu_seconds, 3.0);
  EXPECT_EQ(stat->threads, 7u);
  EXPECT_DOUBLE_EQ(stat->start_seconds_after_boot, 123.45);
  EXPECT_EQ(stat->virtual_bytes, 104857600u);
  EXPECT_EQ(stat->resident_bytes, 2560u * 4096u);
}

TEST(ProcessStat, RefusesOtherTexts) {
  EXPECT_FALSE(parse_process_stat("", 100, 4096));
  EXPECT_FALSE(parse_process_stat("1 (x) S 1 2 3", 100, 4096));
  EXPECT_FALSE(parse_process_stat("1 (x) S 1 1 1 0 -1 0 0 0 0 0 x y 0 0 20 0 7 0 1 1 1", 100, 4096));
}

TEST(ProcessMetrics, ThisProcessHasMemoryAndDescriptors) {
  Registry registry(1);
  add_process_metrics(registry);
  const std::string page = registry.scrape(Format::kText);
  for (const char* name : {"process_cpu_seconds_total", "process_resident_memory_bytes",
                           "process_start_time_seconds", "process_open_fds", "process_max_fds"}) {
    const std::size_t at = page.find("\n" + std::string(name) + " ");
    ASSERT_NE(at, std::string::npos) << name << "\n" << page;
    EXPECT_GE(std::stod(page.substr(at + std::string(name).size() + 2)), 0) << name;
  }
}

}  // namespace
}  // namespace tidegate::telemetry
