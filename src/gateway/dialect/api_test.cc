#include "gateway/dialect/api.h"

#include <gtest/gtest.h>

#include <string>

namespace tidegate::dialect {
namespace {

TEST(Api, KnowsInferenceByMethodAndPath) {
  EXPECT_EQ(classify("POST", "/v1/chat/completions"), Api::kChat);
  EXPECT_EQ(classify("POST", "/v1/completions?x=1"), Api::kCompletions);
  EXPECT_EQ(classify("POST", "/v1/completions/"), Api::kCompletions);
  EXPECT_EQ(classify("POST", "/v1/embeddings"), Api::kEmbeddings);
  EXPECT_EQ(classify("POST", "/v1/messages"), Api::kMessages);
  EXPECT_EQ(classify("POST", "/v1/responses"), Api::kResponses);
  EXPECT_EQ(classify("POST", "/tokenize"), Api::kTokenize);
  EXPECT_EQ(classify("POST", "/v1/messages/count_tokens"), Api::kTokenize);
  EXPECT_EQ(classify("POST", "/v1/audio/transcriptions"), Api::kMedia);
  EXPECT_EQ(classify("POST", "/v1/images/generations"), Api::kMedia);
  EXPECT_EQ(classify("GET", "/v1/models"), Api::kModels);
  EXPECT_EQ(classify("GET", "/v1/models/sql-lora"), Api::kModels);
  EXPECT_EQ(classify("GET", "/v1/completions"), Api::kOther);
  EXPECT_EQ(classify("POST", "/v1/models"), Api::kOther);
  EXPECT_EQ(classify("POST", "/"), Api::kOther);
  EXPECT_EQ(classify("POST", ""), Api::kOther);
}

TEST(Api, AdministrationIsClosedHoweverItIsWritten) {
  for (const char* target :
       {"/v1/load_lora_adapter", "/v1/load%5Flora_adapter", "/v1/load%5flora_adapter?x",
        "//v1//load_lora_adapter", "/v1/load_lora_adapter/", "/V1/Load_Lora_Adapter", "/sleep?level=1",
        "/%73leep", "/metrics", "/pause", "/wake_up", "/reset_prefix_cache", "/collective_rpc"}) {
    EXPECT_EQ(classify("POST", target), Api::kAdmin) << target;
    EXPECT_TRUE(needs_named_route(classify("POST", target))) << target;
  }
  EXPECT_TRUE(needs_named_route(classify("POST", "/some/new/door")));
  EXPECT_TRUE(needs_named_route(classify("POST", "/" + std::string(4000, 'a'))));
  EXPECT_FALSE(needs_named_route(classify("POST", "/v1/chat/completions")));
}

}  // namespace
}  // namespace tidegate::dialect
