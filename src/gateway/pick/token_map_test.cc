#include "gateway/pick/token_map.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "base/random.h"
#include "gateway/pick/token_chain.h"

namespace tidegate::pick {
namespace {

constexpr std::uint32_t kStride = 16;

// Four bytes a token, so that places are exact.
std::string text_of(std::uint64_t seed, std::size_t tokens) {
  Random random(seed);
  std::string text;
  for (std::size_t i = 0; i < tokens * 4; ++i) text += static_cast<char>('a' + random.below(26));
  return text;
}

std::vector<std::uint32_t> tokens_of(std::string_view text) {
  std::vector<std::uint32_t> tokens;
  for (std::size_t i = 0; i + 4 <= text.size(); i += 4)
    tokens.push_back(static_cast<std::uint32_t>(hash_bytes(text.substr(i, 4), 0) % 50'000));
  return tokens;
}

std::uint64_t key_behind(const std::vector<std::uint32_t>& tokens, std::size_t count,
                         std::string_view adapter = {}) {
  TokenChain chain = TokenChain::from_beginning(adapter);
  for (std::size_t i = 0; i < count; ++i) chain.add(tokens[i]);
  return chain.key();
}

PromptKeys keys_of(std::string_view text, std::uint64_t seed = 1) {
  PromptKeys keys;
  keys.hash(seed, text);
  return keys;
}

void learn(TokenMap& map, const std::string& text, std::string_view adapter = {}, std::uint64_t seed = 1) {
  map.learn(keys_of(text, seed), tokens_of(text), adapter, kStride);
}

TEST(TokenMap, WhatWasLearntIsFoundInLongerPromptsToo) {
  TokenMap map;
  const std::string text = text_of(1, 1000);
  TokenPoints points;
  map.find(keys_of(text), points);
  EXPECT_EQ(points.size(), 0U);
  learn(map, text);
  map.find(keys_of(text + text_of(2, 500)), points);
  ASSERT_EQ(points.size(), 15U);  // whole blocks of 256 bytes in 4000
  for (std::size_t i = 0; i < points.size(); ++i) {
    EXPECT_EQ(points.bytes(i + 1), 256 * (i + 1));
    EXPECT_EQ(points.key(i), key_behind(tokens_of(text), 64 * (i + 1)));
  }
  map.find(keys_of(text.substr(0, 700)), points);
  EXPECT_EQ(points.size(), 2U);
  map.find(keys_of(text, 2), points);  // another pool, model or salt
  EXPECT_EQ(points.size(), 0U);
}

TEST(TokenMap, TheAdapterIsPartOfEveryKey) {
  TokenMap map;
  const std::string text = text_of(1, 200);
  learn(map, text, "sql", 7);
  TokenPoints points;
  map.find(keys_of(text, 7), points);
  ASSERT_GT(points.size(), 0U);
  EXPECT_EQ(points.key(0), key_behind(tokens_of(text), 64, "sql"));
  EXPECT_NE(points.key(0), key_behind(tokens_of(text), 64));
}

TEST(TokenMap, APlaceCountsOnceAnEngineWasSeenToHoldIt) {
  TokenMap map;
  const std::string text = text_of(1, 1000);
  learn(map, text);
  const PromptKeys keys = keys_of(text);
  TokenPoints points;
  map.find(keys, points);
  EXPECT_EQ(points.confirmed_bytes(), 0U);
  points.confirm(4);
  EXPECT_EQ(points.confirmed_bytes(), 5 * 256U);
  map.confirm(keys, points, 0);
  map.find(keys, points);
  EXPECT_EQ(points.confirmed_bytes(), 5 * 256U);
  learn(map, text);  // the same again
  map.find(keys, points);
  EXPECT_EQ(points.confirmed_bytes(), 5 * 256U);
}

// A beginning of many bytes a token, then a rest of few: the place of their border is put too deep at first.
TEST(TokenMap, WherePromptsPartAPlaceThatIsTooDeepMovesUp) {
  TokenMap map;
  const std::string beginning(2048, 'x');
  std::vector<std::uint32_t> dense(64);  // 32 bytes a token
  for (std::uint32_t i = 0; i < 64; ++i) dense[i] = i;
  const auto with_rest = [&](std::uint32_t seed) {
    std::vector<std::uint32_t> tokens = dense;
    for (std::uint32_t i = 0; i < 512; ++i) tokens.push_back(seed + i);
    return tokens;
  };
  const PromptKeys one = keys_of(beginning + text_of(1, 512));
  TokenPoints points;
  for (std::uint32_t prompt = 0; prompt < 12; ++prompt) {
    const PromptKeys keys = keys_of(beginning + text_of(prompt + 1, 512));
    map.learn(keys, with_rest(1000 * (prompt + 1)), "", kStride);
  }
  map.find(one, points);
  ASSERT_GT(points.size(), 0U);
  EXPECT_LE(points.bytes(1), 2048U);  // of the beginning something is left
  for (std::size_t i = 0; i < points.size() && points.bytes(i + 1) <= 2048; ++i) {
    bool in_beginning = false;
    for (std::size_t strides = 1; strides <= 4; ++strides)
      in_beginning = in_beginning || points.key(i) == key_behind(dense, strides * kStride);
    EXPECT_TRUE(in_beginning) << "point " << i << " is in the rest of one prompt";
  }
}

TEST(TokenMap, MemoryStaysWithinItsBoundAndTheLatestAreKnown) {
  TokenMap map(4096);
  for (std::uint64_t seed = 0; seed < 1000; ++seed) learn(map, text_of(seed, 1000));
  EXPECT_LE(map.entries(), 4096U);
  EXPECT_GT(map.entries(), 3000U);
  TokenPoints points;
  map.find(keys_of(text_of(999, 1000)), points);
  EXPECT_GT(points.size(), 10U);
  map.find(keys_of(text_of(3, 1000)), points);
  EXPECT_EQ(points.size(), 0U);
}

TEST(TokenMap, ManyThreadsUseItAtOnce) {
  TokenMap map(2048);
  std::vector<std::jthread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&map, t] {
      Random random(t);
      TokenPoints points;
      for (int i = 0; i < 500; ++i) {
        const std::string text = text_of(random.below(20), 500);
        const PromptKeys keys = keys_of(text);
        if (t == 0) {
          learn(map, text);
          continue;
        }
        map.find(keys, points);
        const auto tokens = tokens_of(text);
        for (std::size_t point = 0; point < points.size(); ++point)
          ASSERT_EQ(points.key(point), key_behind(tokens, points.bytes(point + 1) / 4));
        points.confirm(0);
        map.confirm(keys, points, 0);
      }
    });
  }
}

}  // namespace
}  // namespace tidegate::pick
