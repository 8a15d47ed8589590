#include "gateway/dialect/body_facts.h"

#include <gtest/gtest.h>

#include <string>

namespace tidegate::dialect {
namespace {

// Bytes behind the body that must not matter.
std::string padded(const std::string& body) { return body + "\"}],:{[" + std::string(kBodyPadding, '"'); }

class BodyFactsTest : public ::testing::Test {
 protected:
  BodyFacts read(const std::string& body) {
    memory_ = padded(body);
    body_ = std::string_view(memory_).substr(0, body.size());
    auto facts = reader_.read(body_);
    EXPECT_TRUE(facts.has_value()) << body << ": " << facts.error().message;
    return facts.value_or(BodyFacts{});
  }

  // The field and first words of the refusal.
  std::string refused(const std::string& body) {
    memory_ = padded(body);
    body_ = std::string_view(memory_).substr(0, body.size());
    auto facts = reader_.read(body_);
    if (facts.has_value()) return "accepted";
    EXPECT_EQ(facts.error().code, Code::kInvalid);
    return facts.error().field.empty() ? "body" : facts.error().field;
  }

  std::string at(Range range) const { return std::string(range.of(body_)); }

  BodyReader reader_;
  std::string memory_;
  std::string_view body_;
};

TEST_F(BodyFactsTest, FindsWhatTheGatewayActsOn) {
  const BodyFacts facts = read(
      R"( { "prompt" : "model\": {", "model" : "lora-request" , "max_tokens":100, "temperature": 0, "n": 2,
        "stream" : true ,"stream_options": { "include_usage" : false, "x": [1,{"include_usage":true}] } } )");
  EXPECT_EQ(facts.model, "lora-request");
  EXPECT_TRUE(facts.has_model);
  EXPECT_EQ(at(facts.model_token), "\"lora-request\"");
  EXPECT_TRUE(facts.streams());
  EXPECT_EQ(facts.max_tokens, 100U);
  EXPECT_EQ(facts.n, 2U);
  EXPECT_EQ(at(facts.prompt), R"("model\": {")");
  EXPECT_EQ(at(facts.stream_options), R"({ "include_usage" : false, "x": [1,{"include_usage":true}] })");
  EXPECT_EQ(facts.include_usage, Flag::kFalse);
  EXPECT_EQ(at(facts.include_usage_token), "false");
  EXPECT_EQ(facts.continuous_usage, Flag::kAbsent);
  EXPECT_EQ(facts.open, 2U);
}

TEST_F(BodyFactsTest, AnEmptyObjectHasNoFacts) {
  const BodyFacts facts = read("{}");
  EXPECT_FALSE(facts.has_model);
  EXPECT_TRUE(facts.is_empty);
  EXPECT_FALSE(facts.streams());
}

TEST_F(BodyFactsTest, MembersOfInnerObjectsAreNotOurs) {
  const BodyFacts facts = read(
      R"({"metadata":{"model":"evil","stream":true},"messages":[{"role":"user","model":"evil"}],"model":"good"})");
  EXPECT_EQ(facts.model, "good");
  EXPECT_FALSE(facts.streams());
  EXPECT_EQ(at(facts.prompt), R"([{"role":"user","model":"evil"}])");
}

TEST_F(BodyFactsTest, WhatElseAPromptIsMadeOf) {
  const BodyFacts facts = read(
      R"({"messages":[],"tools":[{"function":{"tools":[1]}}],"cache_salt":"a","metadata":{"tools":[2]}})");
  EXPECT_EQ(at(facts.tools), R"([{"function":{"tools":[1]}}])");
  EXPECT_EQ(at(facts.cache_salt), "\"a\"");
}

TEST_F(BodyFactsTest, ModelNamesAreDecoded) {
  EXPECT_EQ(read(R"({"model":"a\"\u00e9\n"})").model, "a\"\xC3\xA9\n");
  EXPECT_EQ(read(R"({"model":"caf)"
                 "\xC3\xA9"
                 R"("})")
                .model,
            "caf\xC3\xA9");
}

TEST_F(BodyFactsTest, NullMeansAbsent) {
  const BodyFacts facts = read(R"({"model":null,"stream":null,"stream_options":null,"max_tokens":null})");
  EXPECT_FALSE(facts.has_model);
  EXPECT_EQ(at(facts.model_token), "null");
  EXPECT_EQ(facts.stream, Flag::kNull);
  EXPECT_FALSE(facts.streams());
  EXPECT_EQ(at(facts.stream_options), "null");
  EXPECT_FALSE(facts.stream_options_is_object);
  EXPECT_FALSE(facts.max_tokens.has_value());
}

TEST_F(BodyFactsTest, TheNewerLimitWins) {
  EXPECT_EQ(read(R"({"max_tokens":1,"max_completion_tokens":2})").max_tokens, 2U);
  EXPECT_EQ(read(R"({"max_completion_tokens":2,"max_tokens":1})").max_tokens, 2U);
  EXPECT_EQ(read(R"({"max_completion_tokens":null,"max_tokens":1})").max_tokens, 1U);
}

TEST_F(BodyFactsTest, CountsThatAreNoneAreLeftToTheEngine) {
  for (const char* value : {"-1", "1.5", "\"7\"", "1e3", "99999999999999999999", "[1]", "{}"}) {
    const BodyFacts facts =
        read(std::string(R"({"max_tokens":)") + value + R"(,"model":"m","n":)" + value + "}");
    EXPECT_FALSE(facts.max_tokens.has_value()) << value;
    EXPECT_FALSE(facts.n.has_value()) << value;
    EXPECT_EQ(facts.model, "m");
  }
}

TEST_F(BodyFactsTest, RefusesWhatTwoReadersCouldReadDifferently) {
  EXPECT_EQ(refused(R"({"model":"a","model":"b"})"), "model");
  EXPECT_EQ(refused(R"({"model":"a","x":1,"model":"a"})"), "model");
  EXPECT_EQ(refused(R"({"stream":true,"stream":false})"), "stream");
  EXPECT_EQ(refused(R"({"stream_options":{},"stream_options":{}})"), "stream_options");
  EXPECT_EQ(refused(R"({"max_tokens":1,"max_tokens":2})"), "max_tokens");
  EXPECT_EQ(refused(R"({"n":1,"n":2})"), "n");
  EXPECT_EQ(refused(R"({"mod\u0065l":"b"})"), "model");
  EXPECT_EQ(refused(R"({"model":"a","\u006d\u006f\u0064\u0065\u006c":"b"})"), "model");
  EXPECT_EQ(refused(R"({"\u0073tream":true})"), "stream");
  EXPECT_EQ(
      refused(
          R"({"\u0073\u0074\u0072\u0065\u0061\u006d\u005f\u006f\u0070\u0074\u0069\u006f\u006e\u0073":{}})"),
      "stream_options");
  EXPECT_EQ(refused(R"({"stream_options":{"include_usage":true,"include_usage":false}})"),
            "stream_options.include_usage");
  EXPECT_EQ(refused(R"({"stream_options":{"include_us\u0061ge":true}})"), "stream_options");
}

TEST_F(BodyFactsTest, OtherMembersMayRepeatAndBeEscaped) {
  EXPECT_EQ(read(R"({"user":"a","user":"b","us\u0065r":"c","model":"m"})").model, "m");
  EXPECT_EQ(read(R"({"models":"a","Model":"b","model ":"c","model":"m"})").model, "m");
}

TEST_F(BodyFactsTest, RefusesWrongTypesByName) {
  EXPECT_EQ(refused(R"({"model":7})"), "model");
  EXPECT_EQ(refused(R"({"model":["a"]})"), "model");
  EXPECT_EQ(refused(R"({"model":{"a":"b"}})"), "model");
  EXPECT_EQ(refused(R"({"model":""})"), "model");
  EXPECT_EQ(refused(R"({"model":")" + std::string(kModelBytesMax + 1, 'a') + R"("})"), "model");
  EXPECT_EQ(refused(R"({"stream":"true"})"), "stream");
  EXPECT_EQ(refused(R"({"stream":1})"), "stream");
  EXPECT_EQ(refused(R"({"stream":truely})"), "body");
  EXPECT_EQ(refused(R"({"stream_options":true})"), "stream_options");
  EXPECT_EQ(refused(R"({"stream_options":[]})"), "stream_options");
  EXPECT_EQ(refused(R"({"stream_options":{"include_usage":"yes"}})"), "stream_options.include_usage");
}

TEST_F(BodyFactsTest, RefusesWhatIsNoObjectOfJson) {
  for (const char* body : {"",
                           " ",
                           "[]",
                           "[{\"model\":\"m\"}]",
                           "\"model\"",
                           "7",
                           "null",
                           "{",
                           "}",
                           "{\"model\":\"m\"",
                           "{\"model\":\"m}",
                           "{\"model\":\"m\"}}",
                           "{\"model\":\"m\"} x",
                           "{\"model\":\"m\"}{}",
                           "{\"model\"}",
                           "{\"model\":}",
                           "{model:\"m\"}",
                           "{\"model\" \"m\"}",
                           "{\"a\":1 \"model\":\"m\"}",
                           "{\"a\":[1,2,\"model\":\"m\"}",
                           "{'model':'m'}",
                           "\xEF\xBB\xBF{\"model\":\"m\"}",
                           "{\"a\":\"\xFF\",\"model\":\"m\"}",
                           "{\"a\":\"\n\",\"model\":\"m\"}",
                           "{\"model\":\"\\q\"}",
                           "{\"model\":\"\\ud800\"}",
                           "{,\"model\":\"m\"}",
                           "{\"model\":\"m\",}",
                           "{\"messages\":[{\"a\":1},\"model\":\"m\"}"}) {
    EXPECT_NE(refused(body), "accepted") << body;
  }
  EXPECT_NE(refused(std::string("{\0}", 3)), "accepted");
  EXPECT_NE(refused(std::string("{\"model\":\"m\"}\0", 14)), "accepted");
}

TEST_F(BodyFactsTest, SkippedMembersAreHeldToTheLetterToo) {
  for (const char* body :
       {R"({"a":tru,"model":"m"})", R"({"a":01,"model":"m"})", R"({"a":/*"model":"x"*/1,"model":"m"})",
        R"({"a":[},"model":"m"})", R"({"a":"\q","model":"m"})", R"({"a":NaN,"model":"m"})",
        R"({"a":[1 2],"model":"m"})", R"({"a":{"b" 1},"model":"m"})"}) {
    EXPECT_EQ(refused(body), "body") << body;
  }
}

TEST_F(BodyFactsTest, DeepAndLongBodiesAreRead) {
  const std::string deep(1000, '[');
  const std::string close(1000, ']');
  EXPECT_EQ(read("{\"a\":" + deep + close + ",\"model\":\"m\"}").model, "m");
  EXPECT_EQ(refused("{\"a\":" + std::string(5000, '[') + std::string(5000, ']') + "}"), "body");
  EXPECT_EQ(read("{\"prompt\":\"" + std::string(3'000'000, 'x') + "\",\"model\":\"m\"}").model, "m");
  EXPECT_EQ(read(R"({"model":"small again"})").model, "small again");
}

TEST_F(BodyFactsTest, TheLimitIsOnTheBody) {
  BodyReader small(16);
  const std::string body = padded(R"({"model":"abcdefghij"})");
  const auto facts = small.read(std::string_view(body).substr(0, 22));
  ASSERT_FALSE(facts.has_value());
  EXPECT_EQ(facts.error().code, Code::kTooLarge);
}

}  // namespace
}  // namespace tidegate::dialect
