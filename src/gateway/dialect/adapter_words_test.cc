#include "gateway/dialect/adapter_words.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "gateway/dialect/edit.h"

namespace tidegate::dialect {
namespace {

const std::vector<ServedModel> kModels = {
    {.id = "base", .root = {}, .parent = {}, .max_model_len = {}},
    {.id = "sql-\"lora", .root = {}, .parent = "base", .max_model_len = {}}};

// The body as the engine gets it.
nlohmann::json sent(std::string body, AdapterField field, const std::string& value) {
  const std::string text = body;
  body.append(kBodyPadding, ' ');
  BodyReader reader;
  const auto facts = reader.read(std::string_view(body).substr(0, text.size()));
  EXPECT_TRUE(facts.has_value());
  EditList edits;
  edits.ask_for_usage(*facts, {});
  edits.replace_model(*facts, "\"m\"");
  edits.choose_adapter(*facts, field, value);
  return nlohmann::json::parse(edits.apply(text).text());
}

TEST(AdapterWords, SglangTakesTheNameAsAPath) {
  const auto words = AdapterWords::make(Engine::kSglang, kModels, {});
  ASSERT_NE(words, nullptr);
  EXPECT_EQ(words->field(), AdapterField::kLoraPath);
  EXPECT_FALSE(words->find("base")->is_adapter);
  EXPECT_EQ(words->find("base")->value, "");
  EXPECT_EQ(words->find("sql-\"lora")->value, "\"sql-\\\"lora\"");
  EXPECT_EQ(words->find("other"), nullptr);
}

TEST(AdapterWords, LlamaCppTakesTheNumberAndTurnsAllOffForTheBase) {
  const auto files = read_lora_files(
      R"([{"id":0,"path":"/models/sql-lora.gguf","scale":0.5},{"id":1,"path":"tweet.gguf","scale":0.0},)"
      R"({"id":2,"path":"x/tweet.gguf","scale":1},{"id":-1,"path":"no"},{"path":"no"},{"id":3,"path":"/"},7])");
  ASSERT_TRUE(files);
  ASSERT_EQ(files->size(), 3U);
  const auto words = AdapterWords::make(Engine::kLlamaCpp, kModels, *files);
  ASSERT_NE(words, nullptr);
  EXPECT_EQ(words->field(), AdapterField::kLora);
  EXPECT_EQ(words->find("base")->value, R"([{"id":0,"scale":0}])");
  EXPECT_FALSE(words->find("base")->is_adapter);
  EXPECT_EQ(words->find("sql-lora")->value, R"([{"id":0,"scale":0.5}])");
  EXPECT_EQ(words->find("tweet")->value, R"([{"id":1,"scale":1}])");
  EXPECT_EQ(AdapterWords::make(Engine::kLlamaCpp, kModels, {}), nullptr);
  for (const char* broken : {"", "{}", "[", "7"}) EXPECT_FALSE(read_lora_files(broken)) << broken;
}

TEST(AdapterWords, OthersGoByTheName) {
  EXPECT_EQ(AdapterWords::make(Engine::kVllm, kModels, {}), nullptr);
  EXPECT_EQ(AdapterWords::make(Engine::kUnknown, kModels, {}), nullptr);
}

TEST(AdapterWords, TheMemberIsSetOnce) {
  const std::string value = R"([{"id":1,"scale":1}])";
  const auto wanted = nlohmann::json::parse(value);
  for (
      const char* body :
      {R"({"model":"a","stream":true})", R"({"lora":[],"model":"a","stream":true,"stream_options":{}})",
       R"({"model":"a","stream":true,"lora":null,"stream_options":{"include_usage":false,"continuous_usage_stats":false}})"}) {
    const auto after = sent(body, AdapterField::kLora, value);
    EXPECT_EQ(after["lora"], wanted) << body;
    EXPECT_EQ(after["model"], "m");
    EXPECT_EQ(after["stream_options"]["include_usage"], true);
    EXPECT_EQ(after.size(), 4U) << after;
  }
  EXPECT_EQ(sent(R"({"lora_path":"x","model":"a"})", AdapterField::kLoraPath, "\"y\"")["lora_path"], "y");
}

TEST(AdapterWords, AClientCannotSayItTwice) {
  BodyReader reader;
  for (const std::string text :
       {R"({"model":"a","lora":[],"lora":[]})", R"({"model":"a","l\u006fra_path":"x"})"}) {
    std::string body = text;
    body.append(kBodyPadding, ' ');
    EXPECT_FALSE(reader.read(std::string_view(body).substr(0, text.size()))) << text;
  }
}

TEST(Engine, IsKnownByWordsAndOwners) {
  EXPECT_EQ(*parse_engine("sglang"), Engine::kSglang);
  EXPECT_EQ(*parse_engine("llama.cpp"), Engine::kLlamaCpp);
  EXPECT_EQ(*parse_engine("trtllm-serve"), Engine::kTensorRtLlm);
  EXPECT_FALSE(parse_engine("SGLang"));
  EXPECT_EQ(engine_of_owner("llamacpp"), Engine::kLlamaCpp);
  EXPECT_EQ(engine_of_owner("organization"), Engine::kUnknown);
  EXPECT_EQ(metrics_path(Engine::kTensorRtLlm), "/prometheus/metrics");
}

}  // namespace
}  // namespace tidegate::dialect
