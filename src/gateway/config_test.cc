#include "gateway/config.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

namespace tidegate::gateway {
namespace {

TEST(Config, DurationsReadAndShowAlike) {
  for (const char* text : {"0", "250ms", "2s", "5m", "1h", "90s", "1500us"}) {
    const auto parsed = parse_duration(text);
    ASSERT_TRUE(parsed.has_value()) << text;
    EXPECT_EQ(duration_text(*parsed), text);
  }
  EXPECT_EQ(*parse_duration("1.5s"), std::chrono::milliseconds(1500));
  for (const char* text : {"", "5", "s", "-1s", "5 s", "1d", "1e30s", "nan"}) {
    EXPECT_FALSE(parse_duration(text).has_value()) << text;
  }
}

// Every setting shows its default in the form in which it can be given.
TEST(Config, EveryFieldTakesWhatItShows) {
  std::set<std::string_view> flags;
  for (const Field& field : fields()) {
    Config config;
    const std::string shown = field.show(config);
    EXPECT_TRUE(flags.insert(field.flag).second) << field.flag;
    EXPECT_FALSE(field.help.empty());
    const auto set = field.set(config, shown);
    EXPECT_TRUE(set.has_value()) << field.flag << " " << shown;
    EXPECT_EQ(field.show(config), shown) << field.flag;
  }
}

TEST(Config, RefusesWhatIsOutOfBounds) {
  for (const Field& field : fields()) {
    Config config;
    if (field.unit == "path") continue;
    EXPECT_FALSE(field.set(config, "x").has_value()) << field.flag;
    EXPECT_FALSE(field.set(config, "-1").has_value()) << field.flag;
    EXPECT_FALSE(field.set(config, "").has_value()) << field.flag;
  }
}

TEST(Config, TheDocumentedTableIsTheProgramsOwn) {
  std::ifstream file("docs/configuration.md");
  const std::string page((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_NE(page.find(reference()), std::string::npos)
      << "renew it: tidegate gateway --config-reference prints the table";
}

}  // namespace
}  // namespace tidegate::gateway
