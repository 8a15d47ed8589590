#include "gateway/kvfeed/asker.h"

#include <gtest/gtest.h>

namespace tidegate::kvfeed {
namespace {

using namespace std::chrono_literals;

TEST(ReadTokens, TheListIsFoundAmongWhateverElseIsThere) {
  const auto tokens =
      read_tokens(R"({"count":3,"max_model_len":512,"tokens":[1, 50000 ,0],"token_strs":["a","[",","]})");
  ASSERT_TRUE(tokens) << describe(tokens.error());
  EXPECT_EQ(*tokens, (std::vector<std::uint32_t>{1, 50'000, 0}));
  EXPECT_EQ(read_tokens(R"({"tokens":[]})")->size(), 0U);
}

TEST(ReadTokens, AnythingElseIsRefused) {
  for (const char* answer : {"", "{}", "[1,2]", R"({"tokens":null})", R"({"tokens":"1"})", R"({"tokens":[1,)",
                             R"({"tokens":[-1]})", R"({"tokens":[1.5]})", R"({"tokens":[4294967296]})",
                             R"({"tokens":["1"]})", R"({"tokens":[[1]]})", R"({"tokens":[1]} x)"})
    EXPECT_FALSE(read_tokens(answer)) << answer;
}

TEST(Budget, NewPromptsMayUseTheHalfOfWhatKnownOnesMay) {
  const auto spent = [](bool seen_before) {
    Budget budget(1'000'000);
    const TimePoint now{1000s};
    int questions = 0;
    while (questions < 1000 && budget.spend(100'000, seen_before, now)) ++questions;
    return questions;
  };
  EXPECT_EQ(spent(true), 21);  // two seconds' worth, and the one that ends them
  EXPECT_EQ(spent(false), 11);
}

TEST(Budget, WhatIsSpentComesBack) {
  Budget budget(1'000'000);
  TimePoint now{1000s};
  int questions = 0;
  for (int i = 0; i < 100'000; ++i, now += 1ms) questions += budget.spend(100, true, now) ? 1 : 0;
  EXPECT_NEAR(questions, 100 * 1'000'000 / 32'768, 70);  // short ones cost as much as 32 KiB
  Budget four(1'000'000);
  four.set_engines(4);
  questions = 0;
  while (four.spend(1'000'000, true, now)) ++questions;
  EXPECT_EQ(questions, 9);
  Budget none(0);
  EXPECT_FALSE(none.spend(1, true, now));
}

TEST(Asker, OnePromptIsAskedForOnceInTenSeconds) {
  net::Loop loop;
  pick::TokenMap map(1024);
  Asker asker(loop, map, 1'000'000'000);
  const TimePoint now{1000s};
  EXPECT_TRUE(asker.may_ask(7, 1000, true, now));
  EXPECT_FALSE(asker.may_ask(7, 1000, true, now + 9s));
  EXPECT_TRUE(asker.may_ask(8, 1000, true, now));
  EXPECT_TRUE(asker.may_ask(7, 1000, true, now + 11s));
  EXPECT_FALSE(asker.may_ask(9, std::uint64_t{1} << 30, true, now));
}

}  // namespace
}  // namespace tidegate::kvfeed
