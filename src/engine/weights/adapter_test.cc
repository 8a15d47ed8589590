#include "engine/weights/adapter.h"

#include <gtest/gtest.h>

#include "engine/weights/testing/write_safetensors.h"
#include "engine/weights/text_file.h"

namespace tidegate::weights {
namespace {

std::string config_error(const std::string& json) {
  const auto config = parse_adapter_config(json);
  return config ? "accepted" : describe(config.error());
}

TEST(AdapterConfig, RefusesWhatIsNotPlainLora) {
  EXPECT_EQ(
      config_error(
          R"({"peft_type":"LORA","r":8,"lora_alpha":16,"bias":"none","use_dora":false,"modules_to_save":null})"),
      "accepted");
  EXPECT_EQ(config_error(R"({"peft_type":"IA3"})"), "peft_type is IA3; LORA is the only type that is served");
  EXPECT_EQ(config_error(R"({})"), "peft_type is not LORA; LORA is the only type that is served");
  EXPECT_EQ(config_error(R"({"peft_type":"LORA","use_dora":true})"),
            "use_dora is set, but DoRA is not served");
  EXPECT_EQ(config_error(R"({"peft_type":"LORA","modules_to_save":["lm_head"]})"),
            "modules_to_save is set, but saved modules are not served");
  EXPECT_EQ(config_error(R"({"peft_type":"LORA","bias":"all"})"),
            "bias is not \"none\"; adapters with biases are not served");
  EXPECT_EQ(config_error(R"({"peft_type":"LORA","r":-1})"), "r is not a whole number from 1 to 4096");
  EXPECT_EQ(config_error(R"({"peft_type":"LORA","lora_alpha":"x"})"), "lora_alpha is not a number");
  EXPECT_EQ(config_error("nonsense"), "adapter_config.json is no JSON object");
}

class AdapterFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "/tidegate_adapter_" +
              ::testing::UnitTest::GetInstance()->current_test_info()->name();
    (void)::system(("rm -rf " + folder_ + " && mkdir -p " + folder_).c_str());
    auto text = read_text_file("examples/models/demo-llama/config.json");
    ASSERT_TRUE(text);
    model_ = *parse_model_config(*text);
  }

  // An adapter on one projection of layer 2; what is wrong is up to the caller.
  Result<AdapterFiles> open(const std::string& module, std::vector<std::size_t> a, std::vector<std::size_t> b,
                            const std::string& config = R"({"peft_type":"LORA","r":2,"lora_alpha":8})") {
    const auto count = [](const std::vector<std::size_t>& shape) {
      std::size_t n = 1;
      for (const std::size_t side : shape) n *= side;
      return n;
    };
    const std::string prefix = "base_model.model.model.layers." + module;
    testing::write_file(
        folder_ + "/adapter_model.safetensors",
        testing::safetensors_bytes(
            {{prefix + ".lora_A.weight", testing::f32_tensor(a, std::vector<float>(count(a), 0.5F))},
             {prefix + ".lora_B.weight", testing::f32_tensor(b, std::vector<float>(count(b), 0.5F))}}));
    testing::write_file(folder_ + "/adapter_config.json", config);
    return open_adapter(folder_, model_, 16);
  }

  std::string folder_;
  ModelConfig model_;
};

TEST_F(AdapterFilesTest, ReadsTheShippedAdapters) {
  const auto adapter = open_adapter("examples/models/adapters/sql-lora", model_, 16);
  ASSERT_TRUE(adapter) << describe(adapter.error());
  EXPECT_EQ(adapter->rank, 8u);
  EXPECT_EQ(adapter->layers.size(), 4u);
  EXPECT_FLOAT_EQ(adapter->layers[3][6]->scale, 2.0F);
  EXPECT_EQ(adapter->digest.size(), 64u);
  EXPECT_NE(adapter->digest, open_adapter("examples/models/adapters/sql-lora-1", model_, 16)->digest);
  const auto refused = open_adapter("examples/models/adapters/sql-lora", model_, 4);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "LoRA rank 8 is greater than max_lora_rank 4");
}

TEST_F(AdapterFilesTest, ScaleFollowsTheConfiguration) {
  const auto scale = [&](const std::string& config) {
    const auto adapter = open("2.mlp.up_proj", {4, 128}, {352, 4}, config);
    return adapter ? adapter->layers[2][5]->scale : -1;
  };
  EXPECT_FLOAT_EQ(scale(R"({"peft_type":"LORA","r":4,"lora_alpha":8})"), 2);
  EXPECT_FLOAT_EQ(scale(R"({"peft_type":"LORA","r":4,"lora_alpha":8,"use_rslora":true})"), 4);
  EXPECT_FLOAT_EQ(scale(R"({"peft_type":"LORA","r":4,"lora_alpha":8,"alpha_pattern":{"up_proj":2}})"), 0.5);
  EXPECT_FLOAT_EQ(scale(R"({"peft_type":"LORA","r":4,"lora_alpha":8,"alpha_pattern":{"mlp.up_proj":2}})"),
                  0.5);
}

TEST_F(AdapterFilesTest, RefusesShapesAndModulesThatDoNotFit) {
  EXPECT_TRUE(open("2.self_attn.q_proj", {2, 128}, {128, 2}));
  EXPECT_FALSE(open("2.self_attn.q_proj", {2, 127}, {128, 2}));
  EXPECT_FALSE(open("2.self_attn.q_proj", {2, 128}, {128, 3}));
  EXPECT_FALSE(open("2.self_attn.q_proj", {128, 2}, {2, 128}));
  EXPECT_FALSE(open("4.self_attn.q_proj", {2, 128}, {128, 2}));  // there are layers 0 to 3
  EXPECT_FALSE(open("2.self_attn.x_proj", {2, 128}, {128, 2}));
  EXPECT_FALSE(open("99999999999999999999.self_attn.q_proj", {2, 128}, {128, 2}));
  EXPECT_FALSE(open("2.self_attn.q_proj", {256}, {256}));
  EXPECT_FALSE(open("2.self_attn.q_proj", {32, 128}, {128, 32}));  // over the limit
}

TEST_F(AdapterFilesTest, ARankThatTheConfigurationDoesNotTellIsRefused) {
  const auto opened = [&](const std::string& config) {
    return open("2.mlp.up_proj", {4, 128}, {352, 4}, config).has_value();
  };
  EXPECT_TRUE(opened(R"({"peft_type":"LORA","r":4})"));
  EXPECT_FALSE(opened(R"({"peft_type":"LORA","r":2})"));
  EXPECT_FALSE(opened(R"({"peft_type":"LORA"})"));  // PEFT's default is 8
  EXPECT_FALSE(opened(R"({"peft_type":"LORA","r":64})"));
  EXPECT_TRUE(opened(R"({"peft_type":"LORA","r":2,"rank_pattern":{"up_proj":4}})"));
}

TEST_F(AdapterFilesTest, TheDigestIsOfTheContent) {
  const auto first = open("2.self_attn.q_proj", {2, 128}, {128, 2});
  const auto other =
      open("2.self_attn.q_proj", {2, 128}, {128, 2}, R"({"peft_type":"LORA","r":2,"lora_alpha":9})");
  const auto again = open("2.self_attn.q_proj", {2, 128}, {128, 2});
  EXPECT_EQ(first->digest, again->digest);
  EXPECT_NE(first->digest, other->digest);
}

TEST_F(AdapterFilesTest, MissingFilesAreNamed) {
  EXPECT_EQ(open_adapter("/nowhere", model_, 16).error().code, Code::kNotFound);
  testing::write_file(folder_ + "/adapter_config.json", R"({"peft_type":"LORA"})");
  testing::write_file(folder_ + "/adapter_model.bin", "x");
  const auto pickle = open_adapter(folder_, model_, 16);
  ASSERT_FALSE(pickle);
  EXPECT_EQ(pickle.error().message, "does not exist; only safetensors are read, never adapter_model.bin");
}

}  // namespace
}  // namespace tidegate::weights
