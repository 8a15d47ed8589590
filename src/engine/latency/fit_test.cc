#include "engine/latency/fit.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "engine/latency/step_model.h"

namespace tidegate::latency {
namespace {

constexpr std::size_t kChunk = 2048;
constexpr double kRequestMs = 1.5;  // what a request costs beside its steps

// What a calibration sees of `truth`, each figure off by a factor of up to 1 +- noise; steps of decoding, which
// are means over many, by a third of that.
Seen seen_of(const Profile& truth, double noise, std::uint64_t seed) {
  Random random(seed);
  const auto off = [&](double ms) { return ms * (1 + noise * (2 * random.unit() - 1)); };
  const auto decodes = [&](std::size_t sequences, double context) {
    const DecodeSeen decode{sequences, context, 0};
    return DecodeSeen{sequences, context, decode_ms(truth, decode) * (1 + noise / 3 * (2 * random.unit() - 1))};
  };
  Seen seen;
  seen.step_tokens_max = kChunk;
  for (const std::size_t sequences : {1, 2, 4, 8, 16, 32, 64}) {
    seen.decodes.push_back(decodes(sequences, 40));
  }
  for (const double context : {1000, 3500}) seen.decodes.push_back(decodes(1, context));
  for (const double context : {500, 1000}) seen.decodes.push_back(decodes(8, context));
  for (const std::size_t tokens : {8, 32, 64, 128, 256, 384, 512, 1024, 2048, 3072, 4000}) {
    seen.prefills.push_back({tokens, off(prefill_ms(truth, tokens, kChunk) + kRequestMs)});
  }
  return seen;
}

double worst(const Profile& fitted, const Profile& truth) {
  double most = 0;
  const auto compare = [&](double ours, double right) { most = std::max(most, std::abs(ours / right - 1)); };
  for (const std::size_t sequences : {1, 3, 6, 12, 24}) {
    for (const double context : {20.0, 200.0, 800.0}) {
      const DecodeSeen decode{sequences, context, 0};
      compare(decode_ms(fitted, decode), decode_ms(truth, decode));
    }
  }
  for (const std::size_t tokens : {20, 100, 200, 700, 1500, 2500}) {
    compare(prefill_ms(fitted, tokens, kChunk), prefill_ms(truth, tokens, kChunk) + kRequestMs);
  }
  return most;
}

TEST(Fit, FindsEveryProfileAgain) {
  for (const Profile& truth : profiles()) {
    if (truth.name == "instant") continue;
    const auto fitted = fit(seen_of(truth, 0, 1), {});
    ASSERT_TRUE(fitted.has_value()) << truth.name;
    EXPECT_LT(worst(*fitted, truth), .04) << truth.name << " " << step_model_text(*fitted);
  }
}

TEST(Fit, NoiseOfFivePercentGivesErrorsOfTenAtMost) {
  for (const char* name : {"llama-2-7b-a10", "qwen2.5-7b-a100", "llama-3-8b-h100"}) {
    const Profile truth = *find_profile(name);
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      const auto fitted = fit(seen_of(truth, .05, seed), {});
      ASSERT_TRUE(fitted.has_value());
      EXPECT_LT(worst(*fitted, truth), .10) << name << " " << seed << " " << step_model_text(*fitted);
    }
  }
}

TEST(Fit, TellsWhatDecodingCostsPerTokenOfContext) {
  const Profile truth = *find_profile("llama-2-7b-a10");
  const auto fitted = fit(seen_of(truth, 0, 1), {});
  ASSERT_TRUE(fitted.has_value());
  EXPECT_NEAR(fitted->context_us, truth.context_us, truth.context_us * .05);
  EXPECT_NEAR(fitted->prefill_square_ms, truth.prefill_square_ms, truth.prefill_square_ms * .25);
}

TEST(Fit, AdaptersGiveALine) {
  Seen seen = seen_of(*find_profile("llama-2-7b-a10"), 0, 1);
  seen.adapters = {{1, 1.52}, {2, 1.54}, {4, 1.58}};
  const auto fitted = fit(seen, {});
  ASSERT_TRUE(fitted.has_value());
  EXPECT_NEAR(fitted->adapter_base, 1.5, 1e-9);
  EXPECT_NEAR(fitted->adapter_each, .02, 1e-9);
}

TEST(Fit, TooLittleIsAnError) {
  const auto nothing = fit({}, {});
  ASSERT_FALSE(nothing.has_value());
  EXPECT_NE(nothing.error().message.find("more time"), std::string::npos);
}

TEST(Fit, JitterIsThatOfTheFactor) {
  Random random(3);
  std::vector<double> steps;
  for (int i = 0; i < 4000; ++i) {
    const double radius = std::sqrt(-2 * std::log(1 - random.unit()));
    steps.push_back(20 * std::exp(.1 * radius * std::cos(6.283185307179586 * random.unit())));
  }
  EXPECT_NEAR(jitter_of(steps), .1, .01);
  EXPECT_EQ(jitter_of({}), 0);
}

TEST(StepModel, TextIsReadBackTheSame) {
  const Profile truth = *find_profile("llama-2-7b-a40");
  const auto read = with_step_model(*find_profile("instant"), step_model_text(truth));
  ASSERT_TRUE(read.has_value());
  const StepShape shape{.prefill = {{100, 300}}, .decodes = 7, .decode_context = 900, .adapters = 2, .slot_loads = 1};
  EXPECT_NEAR(step_ms(*read, shape), step_ms(truth, shape), 1e-3);
  EXPECT_EQ(step_model_text(*read), step_model_text(truth));
}

TEST(StepModel, MistakesAreNamed) {
  for (const char* wrong : {"speed=1", "jitter=-1", "jitter=", "linear-ms=1:2/1:3", "linear-ms=1", "linear-ms=8:1/4:2",
                            "fixed-ms=nan", "context-us=1e99", "=", "linear-ms=1:1/2:1/3:1/4:1/5:1/6:1/7:1/8:1/9:1/10:1"}) {
    EXPECT_FALSE(with_step_model({}, wrong).has_value()) << wrong;
  }
  EXPECT_TRUE(with_step_model({}, "").has_value());
}

}  // namespace
}  // namespace tidegate::latency
