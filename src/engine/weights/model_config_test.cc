#include "engine/weights/model_config.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tidegate::weights {
namespace {

std::string config_json(const std::string& more, const std::string& architecture = "LlamaForCausalLM") {
  return R"({"architectures":[")" + architecture +
         R"("],"hidden_size":64,"intermediate_size":96,"num_hidden_layers":3,"num_attention_heads":8,"vocab_size":100,)"
         R"("max_position_embeddings":4096,"rms_norm_eps":1e-5)" +
         more + "}";
}

std::string error_of(const std::string& json) {
  const auto config = parse_model_config(json);
  return config ? "accepted" : describe(config.error());
}

TEST(ModelConfig, DefaultsAreEachFamilys) {
  const auto llama = parse_model_config(config_json(""));
  ASSERT_TRUE(llama) << describe(llama.error());
  EXPECT_EQ(llama->kv_heads, 8u);
  EXPECT_EQ(llama->head_dim, 8u);
  EXPECT_FALSE(llama->qkv_bias || llama->output_bias || llama->tied || llama->head_norm);
  const auto qwen2 = parse_model_config(config_json(
      R"(,"num_key_value_heads":2,"sliding_window":100,"use_sliding_window":false)", "Qwen2ForCausalLM"));
  ASSERT_TRUE(qwen2);
  EXPECT_TRUE(qwen2->qkv_bias && !qwen2->output_bias);
  EXPECT_EQ(qwen2->window, (std::vector<std::size_t>{0, 0, 0}));
  const auto qwen3 = parse_model_config(config_json("", "Qwen3ForCausalLM"));
  ASSERT_TRUE(qwen3);
  EXPECT_EQ(qwen3->head_dim, 128u);
  EXPECT_TRUE(qwen3->head_norm && !qwen3->qkv_bias);
  const auto mistral = parse_model_config(config_json(R"(,"sliding_window":512)", "MistralForCausalLM"));
  ASSERT_TRUE(mistral);
  EXPECT_EQ(mistral->window, (std::vector<std::size_t>{512, 512, 512}));
}

TEST(ModelConfig, RefusesByField) {
  EXPECT_EQ(error_of("[]"), "config.json is no JSON object");
  EXPECT_EQ(error_of(config_json("", "GPT2LMHeadModel")).substr(0, 57),
            "architectures names GPT2LMHeadModel, which is none of Lla");
  EXPECT_EQ(error_of(config_json(R"(,"num_key_value_heads":3)")),
            "num_key_value_heads does not divide num_attention_heads");
  EXPECT_EQ(error_of(config_json(R"(,"hidden_act":"gelu")")), R"(hidden_act is "gelu"; only silu is known)");
  EXPECT_EQ(error_of(config_json(R"(,"head_dim":0)")), "head_dim is not a whole number from 1 to 1024");
  EXPECT_EQ(error_of(config_json(R"(,"quantization_config":{"quant_method":"gptq"})")).substr(0, 26),
            "quantization_config is set");
  EXPECT_EQ(error_of(config_json(R"(,"rope_scaling":{"type":"su"})")),
            R"(rope_scaling.rope_type is "su"; known are default, linear, dynamic, yarn and llama3)");
  EXPECT_EQ(error_of(config_json(R"(,"rope_theta":-1)")), "rope_theta is not a positive number");
}

TEST(Rope, PlainAndLinear) {
  Rope rope;
  const auto plain = inverse_frequencies(rope, 8);
  EXPECT_DOUBLE_EQ(plain[0], 1);
  EXPECT_NEAR(plain[2], 0.01, 1e-12);
  rope.kind = RopeKind::kLinear;
  rope.factor = 4;
  EXPECT_DOUBLE_EQ(inverse_frequencies(rope, 8)[0], 0.25);
}

// Values computed with the reference formulas for Llama 3.1's settings: short waves stay, long ones are
// divided by 8.
TEST(Rope, Llama3KeepsShortWavesAndStretchesLongOnes) {
  const auto config = parse_model_config(config_json(
      R"(,"head_dim":128,"rope_theta":500000.0,"rope_scaling":{"factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,)"
      R"("original_max_position_embeddings":8192,"rope_type":"llama3"})"));
  ASSERT_TRUE(config) << describe(config.error());
  EXPECT_EQ(config->context_max, 4096u);
  const auto scaled = inverse_frequencies(config->rope, 128);
  Rope plain = config->rope;
  plain.kind = RopeKind::kPlain;
  const auto raw = inverse_frequencies(plain, 128);
  EXPECT_DOUBLE_EQ(scaled[0], raw[0]);
  EXPECT_DOUBLE_EQ(scaled[28], raw[28]);      // wavelength 1960
  EXPECT_DOUBLE_EQ(scaled[63], raw[63] / 8);  // wavelength 2.5 million
  for (std::size_t i = 29; i < 35; ++i) {
    EXPECT_LE(scaled[i], raw[i]);
    EXPECT_GE(scaled[i], raw[i] / 8);
  }
}

TEST(Rope, YarnBlendsAndScalesAttention) {
  const auto config = parse_model_config(config_json(
      R"(,"head_dim":128,"rope_theta":1000000.0,"rope_scaling":{"type":"yarn","factor":4.0,"original_max_position_embeddings":32768})",
      "Qwen2ForCausalLM"));
  ASSERT_TRUE(config) << describe(config.error());
  EXPECT_EQ(config->context_max, 131072u);
  EXPECT_NEAR(config->rope.attention_factor, 0.1 * std::log(4.0) + 1, 1e-12);
  const auto f = inverse_frequencies(config->rope, 128);
  EXPECT_DOUBLE_EQ(f[0], 1);
  EXPECT_NEAR(f[63], std::pow(1e6, -126.0 / 128) / 4, 1e-18);
  // The ramp runs from pair floor(23.6) to pair ceil(39.6).
  EXPECT_DOUBLE_EQ(f[23], std::pow(1e6, -46.0 / 128));
  EXPECT_LT(f[30], std::pow(1e6, -60.0 / 128));
  EXPECT_GT(f[30], std::pow(1e6, -60.0 / 128) / 4);
}

TEST(Rope, Transformers5KeepsThetaInside) {
  const auto config =
      parse_model_config(config_json(R"(,"rope_parameters":{"rope_type":"default","rope_theta":777.0})"));
  ASSERT_TRUE(config);
  EXPECT_EQ(config->rope.theta, 777);
}

TEST(GenerationConfig, KeepsOnlyWhatMakesSense) {
  const auto defaults = parse_generation_config(
      R"({"temperature":0.6,"top_p":2,"top_k":20,"max_new_tokens":9,"eos_token_id":[1]})");
  ASSERT_TRUE(defaults);
  EXPECT_FLOAT_EQ(*defaults->temperature, 0.6F);
  EXPECT_FALSE(defaults->top_p);
  EXPECT_EQ(defaults->top_k, 20);
  EXPECT_EQ(defaults->max_new_tokens, 9u);
  EXPECT_FALSE(parse_generation_config("3"));
}

}  // namespace
}  // namespace tidegate::weights
