#include "cli/arena/flag_set.h"

#include <gtest/gtest.h>

namespace tidegate::arena {
namespace {

struct Line {
  std::string name, space;
  std::int64_t gpus = -1;
  bool all = false;
  std::vector<std::string> env;
  FlagSet set;

  Line() {
    set.text("name", 0, name, "");
    set.text("namespace", 'n', space, "");
    set.integer("gpus", 0, gpus, "");
    set.boolean("all", 'A', all, "");
    set.list("env", 'e', env, "");
  }
  std::string error_of(std::vector<std::string> arguments) {
    const auto words = set.parse(arguments);
    return words ? "" : words.error().message;
  }
};

TEST(FlagSet, ReadsEveryFormOfAFlag) {
  Line line;
  const std::vector<std::string> arguments = {"--name=a=b", "first",  "-n",     "ns",          "--gpus",
                                              "-1",         "-A",     "-e=A=1", "-eB=2",       "--env",
                                              "C=3",        "second", "--",     "--not-a-flag"};
  const auto words = line.set.parse(arguments);
  ASSERT_TRUE(words) << words.error().message;
  EXPECT_EQ(*words, (std::vector<std::string>{"first", "second", "--not-a-flag"}));
  EXPECT_EQ(line.name, "a=b");
  EXPECT_EQ(line.space, "ns");
  EXPECT_EQ(line.gpus, -1);
  EXPECT_TRUE(line.all);
  EXPECT_EQ(line.env, (std::vector<std::string>{"A=1", "B=2", "C=3"}));
  EXPECT_TRUE(line.set.given("gpus"));
  EXPECT_FALSE(Line().set.given("gpus"));
}

TEST(FlagSet, MistakesAreToldInPflagsWords) {
  EXPECT_EQ(Line().error_of({"--nmae=x"}), "unknown flag: --nmae");
  EXPECT_EQ(Line().error_of({"-x"}), "unknown shorthand flag: 'x' in -x");
  EXPECT_EQ(Line().error_of({"--name"}), "flag needs an argument: --name");
  EXPECT_EQ(Line().error_of({"-n"}), "flag needs an argument: 'n' in -n");
  EXPECT_EQ(Line().error_of({"--=x"}), "bad flag syntax: --=x");
  EXPECT_EQ(
      Line().error_of({"--gpus=one"}),
      "invalid argument \"one\" for \"--gpus\" flag: strconv.ParseInt: parsing \"one\": invalid syntax");
  EXPECT_EQ(Line().error_of({"--gpus="}),
            "invalid argument \"\" for \"--gpus\" flag: strconv.ParseInt: parsing \"\": invalid syntax");
  EXPECT_EQ(Line().error_of({"--gpus=99999999999999999999"}),
            "invalid argument \"99999999999999999999\" for \"--gpus\" flag: strconv.ParseInt: parsing "
            "\"99999999999999999999\": value out of range");
  EXPECT_EQ(Line().error_of({"--all=maybe"}),
            "invalid argument \"maybe\" for \"-A, --all\" flag: strconv.ParseBool: parsing \"maybe\": "
            "invalid syntax");
  Line line;
  EXPECT_EQ(line.error_of({"--gpus=1"}), "");
  EXPECT_EQ(line.set.require({"gpus", "name"}).error().message, "required flag(s) \"name\" not set");
}

}  // namespace
}  // namespace tidegate::arena
