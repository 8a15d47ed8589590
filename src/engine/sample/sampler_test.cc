#include "engine/sample/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace tidegate::sample {
namespace {

constexpr std::size_t kVocabulary = 12;

std::vector<float> logits() {
  return {0.1F, 2.0F, -1.0F, 1.5F, 0.0F, -3.0F, 1.9F, 0.5F, 0.4F, -0.2F, 0.3F, 1.0F};
}

const ops::Kernels& kernels() { return ops::kernels(ops::best_isa()); }

batch::Sample draw(const batch::Sampling& sampling, std::vector<Token> history = {1}, std::size_t prompt = 1,
                   std::vector<Token> eos = {}) {
  Sampler sampler;
  auto values = logits();
  return sampler.draw(values, {&sampling, history, prompt, eos}, kernels());
}

// How often each token is drawn over many positions.
std::map<Token, double> shares(batch::Sampling sampling, int draws = 40'000) {
  Sampler sampler;
  std::map<Token, double> out;
  std::vector<Token> history(1, 0);
  for (int i = 0; i < draws; ++i) {
    auto values = logits();
    sampling.seed = static_cast<std::uint64_t>(i);
    out[sampler.draw(values, {&sampling, history, 1, {}}, kernels()).token] += 1.0 / draws;
  }
  return out;
}

double probability(Token token, double temperature) {
  double total = 0;
  for (const float l : logits()) total += std::exp(l / temperature);
  return std::exp(logits()[static_cast<std::size_t>(token)] / temperature) / total;
}

TEST(Sampler, GreedyTakesTheLargestAndIgnoresTheRest) {
  batch::Sampling s;
  s.temperature = 0;
  s.top_p = 0.01F;
  EXPECT_EQ(draw(s).token, 1);
}

TEST(Sampler, DrawsFollowTheSoftmax) {
  for (const float temperature : {0.7F, 1.0F, 2.0F}) {
    batch::Sampling s;
    s.temperature = temperature;
    const auto seen = shares(s);
    for (Token t = 0; t < static_cast<Token>(kVocabulary); ++t) {
      const auto share = seen.contains(t) ? seen.at(t) : 0;
      const double p = probability(t, temperature);
      EXPECT_NEAR(share, p, 4.5 * std::sqrt(p * (1 - p) / 40'000) + 1e-4) << t;
    }
  }
}

TEST(Sampler, TopKTopPAndMinPKeepTheHead) {
  batch::Sampling k;
  k.top_k = 2;
  EXPECT_EQ(shares(k, 2000).size(), 2u);
  // p sorted: tokens 1, 6, 3, 11 ... The first weighs 0.25, the first two 0.47.
  batch::Sampling p;
  p.top_p = 0.4F;
  const auto two = shares(p, 2000);
  EXPECT_EQ(two.size(), 2u);
  EXPECT_TRUE(two.contains(1) && two.contains(6));
  p.top_p = 0.001F;
  EXPECT_EQ(shares(p, 200).size(), 1u);
  batch::Sampling m;
  m.min_p = 0.5F;  // weights relative to the largest: 1, 0.905, 0.607
  EXPECT_EQ(shares(m, 2000).size(), 3u);
}

TEST(Sampler, ASeedAndAPositionGiveOneNumber) {
  EXPECT_EQ(uniform(5, 9), uniform(5, 9));
  EXPECT_NE(uniform(5, 9), uniform(5, 10));
  EXPECT_NE(uniform(5, 9), uniform(6, 9));
  double sum = 0;
  for (std::uint64_t i = 0; i < 10'000; ++i) sum += uniform(i % 10, i / 10);
  EXPECT_NEAR(sum / 10'000, 0.5, 0.02);
}

TEST(Sampler, MasksAndBias) {
  batch::Sampling s;
  s.temperature = 0;
  s.allowed_tokens = {4, 7};
  EXPECT_EQ(draw(s).token, 7);
  s = {};
  s.temperature = 0;
  s.logit_bias = {{5, 100.0F}, {99, 1.0F}, {-1, 1.0F}};
  EXPECT_EQ(draw(s).token, 5);
  s = {};
  s.temperature = 0;
  s.min_tokens = 2;
  s.stop_token_ids = {6};
  EXPECT_EQ(draw(s, {0, 3}, 1, {1}).token, 3);
  EXPECT_EQ(draw(s, {0, 3, 3}, 1, {1}).token, 1);
  s = {};
  s.temperature = 0;
  s.bad_words = {{1}, {3, 6}, {2, 3, 4}};
  EXPECT_EQ(draw(s, {0}, 1).token, 6);
  EXPECT_EQ(draw(s, {0, 3}, 1).token, 3);  // 6 would complete the second word
  EXPECT_EQ(draw(s, {0, 3}, 2).token, 6);  // the prompt's 3 begins none
}

TEST(Sampler, PenaltiesCountAsVllmDoes) {
  batch::Sampling s;
  s.temperature = 0;
  s.repetition_penalty = 2;
  EXPECT_EQ(draw(s, {1}, 1).token, 6);  // prompt counts: 2.0 becomes 1.0
  s = {};
  s.temperature = 0;
  s.presence_penalty = 0.3F;
  EXPECT_EQ(draw(s, {1}, 1).token, 1);  // the prompt does not count
  EXPECT_EQ(draw(s, {0, 1}, 1).token, 6);
  s = {};
  s.temperature = 0;
  s.frequency_penalty = 0.06F;
  EXPECT_EQ(draw(s, {0, 1}, 1).token, 1);
  EXPECT_EQ(draw(s, {0, 1, 1}, 1).token, 6);
  // Memory between draws is clean.
  Sampler sampler;
  for (int i = 0; i < 3; ++i) {
    auto values = logits();
    const std::vector<Token> history = {0, 1};
    EXPECT_EQ(sampler.draw(values, {&s, history, 1, {}}, kernels()).token, 1);
  }
}

TEST(Sampler, LogprobsAreRaw) {
  batch::Sampling s;
  s.temperature = 0;
  s.logit_bias = {{5, 100.0F}};
  s.logprobs = 2;
  const auto sample = draw(s);
  EXPECT_EQ(sample.token, 5);
  EXPECT_NEAR(sample.chosen.logprob, std::log(probability(5, 1)), 1e-5);
  EXPECT_EQ(sample.chosen.rank, 12u);
  ASSERT_EQ(sample.top.size(), 2u);
  EXPECT_EQ(sample.top[0].token, 1);
  EXPECT_EQ(sample.top[1].token, 6);
  EXPECT_NEAR(sample.top[0].logprob, std::log(probability(1, 1)), 1e-5);
}

TEST(Sampler, NothingLeftOrNotANumberStillDraws) {
  batch::Sampling s;
  s.allowed_tokens = {500};
  EXPECT_EQ(draw(s).token, 1);
  Sampler sampler;
  std::vector<float> values(5, NAN);
  values[3] = 0;
  s = {};
  const std::vector<Token> history = {0};
  EXPECT_EQ(sampler.draw(values, {&s, history, 1, {}}, kernels()).token, 3);
  std::vector<float> none(5, NAN);
  EXPECT_GE(sampler.draw(none, {&s, history, 1, {}}, kernels()).token, 0);
}

TEST(Sampler, NoSettingLeadsOutOfWhatAGuideAllows) {
  guide::Mask mask;
  mask.bits = {1U << 3 | 1U << 5};
  mask.count = 2;
  batch::Sampling s;
  s.logprobs = 3;
  s.logit_bias = {{1, 100}};
  s.bad_words = {{3}};
  s.min_tokens = 5;
  const std::vector<Token> history{1}, eos{5};
  Sampler sampler;
  auto values = logits();
  const auto both_barred = sampler.draw(values, {&s, history, 1, eos, &mask}, kernels());
  EXPECT_EQ(both_barred.token, 3) << "the likeliest that the guide allows";
  EXPECT_EQ(both_barred.top[0].token, 3);
  EXPECT_EQ(both_barred.top[1].token, 5);
  EXPECT_LT(both_barred.top[2].logprob, -1e30) << "as good as impossible";
  EXPECT_NEAR(std::exp(both_barred.top[0].logprob) + std::exp(both_barred.top[1].logprob), 1, 1e-5);
  // A model that calls everything allowed impossible still gives one of them.
  mask.bits = {1U << 7};
  values.assign(kVocabulary, -INFINITY);
  values[2] = 1;
  EXPECT_EQ(sampler.draw(values, {&s, history, 1, eos, &mask}, kernels()).token, 7);
}

}  // namespace
}  // namespace tidegate::sample
