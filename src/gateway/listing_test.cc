#include "gateway/listing.h"

#include <gtest/gtest.h>

namespace tidegate::gateway {
namespace {

using Models = std::vector<dialect::ServedModel>;

const Models kSql{{"base", {}, {}, 0, {}}, {"sql", {}, "base", 0, {}}};
const Models kTweet{{"base", {}, {}, 0, {}}, {"tweet", {}, "base", 0, {}}};

// One letter per endpoint: x must not be asked.
std::string lacking(std::span<const Listing::Endpoint> endpoints, std::string_view model) {
  const auto listing = Listing::make(endpoints);
  std::string out;
  for (std::size_t i = 0; i < endpoints.size(); ++i)
    out += listing && listing->lacking(model)[i] ? 'x' : '-';
  return out;
}

TEST(Listing, AModelGoesToThoseThatListIt) {
  const Listing::Endpoint pool[] = {{&kSql}, {&kTweet}, {&kSql}};
  EXPECT_EQ(lacking(pool, "sql"), "-x-");
  EXPECT_EQ(lacking(pool, "tweet"), "x-x");
  EXPECT_EQ(lacking(pool, "base"), "---");
}

TEST(Listing, WhatNobodyListsIsTheEnginesToJudge) {
  const Listing::Endpoint pool[] = {{&kSql}, {&kTweet}};
  EXPECT_EQ(lacking(pool, "new"), "--");
  EXPECT_EQ(lacking(pool, ""), "--");
}

TEST(Listing, WhoHasNotSaidYetMayBeAsked) {
  const Listing::Endpoint pool[] = {{nullptr}, {&kTweet}, {&kSql}};
  EXPECT_EQ(lacking(pool, "sql"), "-x-");
}

TEST(Listing, OneThatWouldAnswerWithItsBaseIsNeverAskedForWhatItDoesNotList) {
  const Listing::Endpoint pool[] = {{&kSql, true}, {&kTweet}, {nullptr, true}};
  EXPECT_EQ(lacking(pool, "new"), "x--");
  EXPECT_EQ(lacking(pool, "tweet"), "x--");
  EXPECT_EQ(lacking(pool, "sql"), "-x-");
  const Listing::Endpoint alike[] = {{&kSql, true}, {&kSql, true}};
  EXPECT_EQ(lacking(alike, "sql"), "--");  // listed by all is not the same as by nobody
  EXPECT_EQ(lacking(alike, "new"), "xx");
}

TEST(Listing, APoolOfEqualsNeedsNone) {
  const Listing::Endpoint pool[] = {{&kSql}, {nullptr}, {&kSql}};
  EXPECT_EQ(Listing::make(pool), nullptr);
  EXPECT_EQ(Listing::make({}), nullptr);
}

TEST(Listing, HoldsForMoreEndpointsThanAWordHasBits) {
  std::vector<Listing::Endpoint> pool(200, {&kSql});
  pool[130] = {&kTweet};
  const auto listing = Listing::make(pool);
  for (std::size_t i = 0; i < pool.size(); ++i) {
    EXPECT_EQ(listing->lacking("sql")[i], i == 130) << i;
    EXPECT_EQ(listing->lacking("tweet")[i], i != 130) << i;
  }
}

}  // namespace
}  // namespace tidegate::gateway
