#include "engine/latency/babble.h"

#include <gtest/gtest.h>

namespace tidegate::latency {
namespace {

TEST(Babble, TheAdaptersNameSetsTheManner) {
  EXPECT_EQ(manner_of("sql-lora-3"), Manner::kSql);
  EXPECT_EQ(manner_of("Tweet-Summary"), Manner::kTweet);
  EXPECT_EQ(manner_of("legal"), Manner::kPlain);
}

TEST(Babble, EachMannerLooksLikeItself) {
  for (std::uint64_t key = 0; key < 200; ++key) {
    EXPECT_EQ(sentence(Manner::kSql, key, 0).rfind("SELECT ", 0), 0u);
    EXPECT_NE(sentence(Manner::kTweet, key, 0).find('#'), std::string::npos);
    EXPECT_EQ(sentence(Manner::kPlain, key, 0).back(), '.');
    EXPECT_EQ(sentence(Manner::kPlain, key, 1).front(), ' ');
  }
}

TEST(Babble, EqualKeysGiveEqualTextAndOthersOther) {
  EXPECT_EQ(sentence(Manner::kPlain, 5, 2), sentence(Manner::kPlain, 5, 2));
  EXPECT_NE(sentence(Manner::kPlain, 5, 2), sentence(Manner::kPlain, 6, 2));
}

}  // namespace
}  // namespace tidegate::latency
