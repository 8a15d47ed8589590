#include "gateway/kv_ports.h"

#include <gtest/gtest.h>

namespace tidegate::gateway {
namespace {

TEST(KvPorts, OneCountsUpAndSeveralAreEachTheirOwn) {
  const auto one = parse_kv_ports(" 5557 ");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->of(8000, 0), 5557);
  EXPECT_EQ(one->of(8001, 1), 5558);
  const auto several = parse_kv_ports("8000=5557, 8001 = 5600");
  ASSERT_TRUE(several);
  EXPECT_EQ(several->of(8000, 0), 5557);
  EXPECT_EQ(several->of(8001, 1), 5600);
  EXPECT_EQ(several->of(8002, 2), 0);
  const auto none = parse_kv_ports("0");
  ASSERT_TRUE(none);
  EXPECT_EQ(none->of(8000, 1), 0);
  EXPECT_EQ(parse_kv_ports("65535")->of(8001, 1), 0);
}

TEST(KvPorts, AnythingElseIsRefused) {
  for (const char* text : {"", "x", "70000", "-1", "5557,5558", "8000=", "8000=5557,9", "9,8000=5557"})
    EXPECT_FALSE(parse_kv_ports(text)) << text;
}

}  // namespace
}  // namespace tidegate::gateway
