#include "control/externalgrpc/group.h"

#include <gtest/gtest.h>

#include <limits>

namespace tidegate::externalgrpc {
namespace {

Group good() {
  Group group;
  group.max = 3;
  group.target = 1;
  group.instances = {{"cloud://a", InstanceState::kRunning, {}}};
  group.price = 2.5;
  return group;
}

TEST(Group, WhatIsPossibleIsBelieved) { EXPECT_EQ(flaw(good()), ""); }

TEST(Group, WhatIsImpossibleIsNot) {
  const std::vector<std::pair<std::string, void (*)(Group&)>> cases = {
      {"target size of -5", [](Group& g) { g.target = -5; }},
      {"target size of 2147483647", [](Group& g) { g.target = 2147483647; }},
      {"minimum of -1", [](Group& g) { g.min = -1; }},
      {"maximum of -1", [](Group& g) { g.max = -1; }},
      {"minimum of 4 above its maximum of 3", [](Group& g) { g.min = 4; }},
      {"without an id", [](Group& g) { g.instances[0].id.clear(); }},
      {"more than 512 bytes", [](Group& g) { g.instances[0].id.assign(513, 'a'); }},
      {"twice", [](Group& g) { g.instances.push_back(g.instances[0]); }},
      {"number of instances of 1001",
       [](Group& g) {
         for (int i = 0; i < 1000; ++i)
           g.instances.push_back({std::to_string(i), InstanceState::kRunning, {}});
       }},
      {"price", [](Group& g) { g.price = -1; }},
      {"price", [](Group& g) { g.price = std::numeric_limits<double>::quiet_NaN(); }},
  };
  for (const auto& [words, spoil] : cases) {
    Group group = good();
    spoil(group);
    EXPECT_NE(flaw(group).find(words), std::string::npos) << words << ": " << flaw(group);
  }
}

TEST(Group, TextsAreMadePrintable) {
  EXPECT_EQ(clean("no stock, \xe7\xbc\xba\xe8\xb4\xa7"), "no stock, \xe7\xbc\xba\xe8\xb4\xa7");
  EXPECT_EQ(clean("a\nb\tc\x7f"), "a b c?");
  EXPECT_EQ(clean("\xff\xc0\xaf\xed\xa0\x80\xe2\x82"), "????????");
  EXPECT_EQ(clean(std::string(1000, 'x')), std::string(300, 'x') + " ...");
}

}  // namespace
}  // namespace tidegate::externalgrpc
