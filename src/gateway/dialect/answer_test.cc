#include "gateway/dialect/answer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tidegate::dialect {
namespace {

using nlohmann::json;

TEST(Answer, ErrorsHaveAllFourMembers) {
  const Error error{Code::kNotFound, "model", "The model \"x\\y\" does not exist"};
  const json body = json::parse(error_body(error));
  EXPECT_EQ(body["error"]["message"], error.message);
  EXPECT_EQ(body["error"]["type"], "invalid_request_error");
  EXPECT_EQ(body["error"]["param"], "model");
  EXPECT_EQ(body["error"]["code"], "model_not_found");
  EXPECT_EQ(face_of(error).status, 404);

  const json plain = json::parse(error_body({Code::kInvalid, "", "no"}));
  EXPECT_TRUE(plain["error"]["param"].is_null());
  EXPECT_TRUE(plain["error"]["code"].is_null());
}

TEST(Answer, StatusesFollowTheCode) {
  const auto status = [](Code code, std::string field = {}) { return face_of({code, field, ""}).status; };
  EXPECT_EQ(status(Code::kInvalid), 400);
  EXPECT_EQ(status(Code::kTooLarge), 413);
  EXPECT_EQ(status(Code::kTooLarge, "headers"), 431);
  EXPECT_EQ(status(Code::kTooLarge, "target"), 414);
  EXPECT_EQ(status(Code::kExhausted), 429);
  EXPECT_EQ(status(Code::kUnavailable), 503);
  EXPECT_EQ(status(Code::kDeadline), 504);
  EXPECT_EQ(face_of({Code::kExhausted, "", ""}).retry_after_s, 1);
  EXPECT_EQ(face_of({Code::kUnavailable, "", ""}).retry_after_s, 1);
  EXPECT_EQ(face_of({Code::kInvalid, "", ""}).retry_after_s, 0);
}

TEST(Answer, LongAndBrokenMessagesStayJsonAndShort) {
  std::string message(1023, 'a');
  message += "\xC3\xA9 and \xFF more";
  const std::string body = error_body({Code::kInvalid, std::string(5000, 'f'), message});
  EXPECT_LT(body.size(), 2400U);
  EXPECT_EQ(json::parse(body)["error"]["message"], std::string(1023, 'a'));
}

TEST(Answer, ReadsBothShapesOfAnEnginesErrors) {
  const auto newer = read_engine_error(
      R"({"error":{"message":"The model `x` does not exist.","type":"NotFoundError","param":"model","code":404}})");
  ASSERT_TRUE(newer.has_value());
  EXPECT_EQ(newer->type, "NotFoundError");
  EXPECT_EQ(newer->param, "model");
  EXPECT_EQ(newer->code, 404);
  const auto older = read_engine_error(
      R"({"object":"error","message":"no","type":"BadRequestError","param":null,"code":400})");
  ASSERT_TRUE(older.has_value());
  EXPECT_EQ(older->message, "no");
  EXPECT_EQ(older->code, 400);
  EXPECT_EQ(read_engine_error(R"({"error":"Unauthorized"})")->message, "Unauthorized");
  EXPECT_FALSE(read_engine_error(R"({"id":"cmpl-1"})").has_value());
  EXPECT_FALSE(read_engine_error("<html>").has_value());
  EXPECT_FALSE(read_engine_error("").has_value());
}

TEST(Answer, AMissingModelIsKnownByTheRefusal) {
  EXPECT_TRUE(says_model_missing(
      404,
      R"({"error":{"message":"The model `x` does not exist.","type":"NotFoundError","param":"model","code":404}})"));
  EXPECT_TRUE(says_model_missing(
      404, R"({"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","code":404})"));
  EXPECT_TRUE(says_model_missing(
      404, R"({"type":"error","error":{"type":"not_found_error","message":"The model `x` does not exist."}})"));
  EXPECT_TRUE(says_model_missing(404, R"({"error":"model 'x' not found"})"));
  EXPECT_TRUE(says_model_missing(
      400,
      R"({"object":"error","message":"The following requested LoRA adapters are not loaded: {'x'}\nLoaded adapters: .","code":400})"));
  EXPECT_FALSE(says_model_missing(404, R"({"detail":"Not Found"})"));
  EXPECT_FALSE(says_model_missing(404, R"({"error":{"message":"Not Found","type":"NotFoundError","code":404}})"));
  EXPECT_FALSE(says_model_missing(404, ""));
  EXPECT_FALSE(says_model_missing(400, R"({"message":"max_tokens is too large"})"));
  EXPECT_FALSE(says_model_missing(500, R"({"error":{"message":"The model `x` does not exist."}})"));
}

TEST(Answer, ModelsAreListedAndReadBack) {
  const std::vector<ModelCard> cards = {
      {"lora-request", "", "", 1700000000, std::nullopt},
      {"meta-llama/Llama-2-7b-hf", "/models/llama", "", 5, 4096},
      {"sql-lora", "/adapters/sql", "meta-llama/Llama-2-7b-hf", 5, std::nullopt}};
  const std::string body = models_body(cards);
  const json list = json::parse(body);
  EXPECT_EQ(list["object"], "list");
  ASSERT_EQ(list["data"].size(), 3U);
  EXPECT_EQ(list["data"][0]["object"], "model");
  EXPECT_EQ(list["data"][0]["root"], "lora-request");
  EXPECT_TRUE(list["data"][0]["parent"].is_null());
  EXPECT_EQ(json::parse(model_body(cards[0])), list["data"][0]);

  const auto models = read_models(body);
  ASSERT_TRUE(models.has_value());
  ASSERT_EQ(models->size(), 3U);
  EXPECT_EQ((*models)[1].max_model_len, 4096);
  EXPECT_EQ((*models)[2].parent, "meta-llama/Llama-2-7b-hf");
  EXPECT_EQ((*models)[2].root, "/adapters/sql");
  EXPECT_EQ(read_models(body, 2)->size(), 2U);
  EXPECT_FALSE(read_models("{}").has_value());
  EXPECT_FALSE(read_models("[1").has_value());
  EXPECT_EQ(read_models(R"({"data":[1,{"id":""},{"id":7},{"id":"a"}]})")->size(), 1U);
}

}  // namespace
}  // namespace tidegate::dialect
