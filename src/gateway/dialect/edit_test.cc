#include "gateway/dialect/edit.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "gateway/dialect/json_text.h"

namespace tidegate::dialect {
namespace {

using nlohmann::ordered_json;

class EditTest : public ::testing::Test {
 protected:
  BodyFacts facts_of(const std::string& body) {
    memory_ = body + std::string(kBodyPadding, ' ');
    auto facts = reader_.read(std::string_view(memory_).substr(0, body.size()));
    EXPECT_TRUE(facts.has_value()) << body;
    return facts.value_or(BodyFacts{});
  }

  std::string asked(const std::string& body, EngineTraits traits = {}) {
    const BodyFacts facts = facts_of(body);
    EditList edits;
    edits.ask_for_usage(facts, traits);
    const Pieces pieces = edits.apply(body);
    EXPECT_EQ(pieces.total, pieces.text().size());
    return pieces.text();
  }

  BodyReader reader_;
  std::string memory_;
};

TEST_F(EditTest, TheNewNameIsTheOnlyDifference) {
  const std::string body = "{ \"a\" : 1.0e0,\t\"model\" :  \"lora-request\" , \"z\":\"\\u00e9\" }";
  EditList edits;
  edits.replace_model(facts_of(body), "\"sql-lora\"");
  const Pieces pieces = edits.apply(body);
  EXPECT_EQ(pieces.text(), "{ \"a\" : 1.0e0,\t\"model\" :  \"sql-lora\" , \"z\":\"\\u00e9\" }");
  EXPECT_EQ(pieces.total, body.size() - 4);
  EXPECT_EQ(pieces.count, 3U);
}

TEST_F(EditTest, NoEditLeavesOnePiece) {
  const std::string body = R"({"model":"m"})";
  const Pieces pieces = EditList{}.apply(body);
  EXPECT_EQ(pieces.count, 1U);
  EXPECT_EQ(pieces.view()[0].data(), body.data());
}

TEST_F(EditTest, UsageIsAskedForBesideWhatTheClientSaid) {
  const std::string both = R"({"include_usage":true,"continuous_usage_stats":true)";
  EXPECT_EQ(asked(R"({"stream":true})"), R"({"stream_options":)" + both + R"(},"stream":true})");
  EXPECT_EQ(asked(R"({"stream":true,"stream_options":null})"),
            R"({"stream":true,"stream_options":)" + both + "}}");
  EXPECT_EQ(asked(R"({"stream":true,"stream_options":{}})"),
            R"({"stream":true,"stream_options":)" + both + "}}");
  EXPECT_EQ(asked(R"({"stream":true,"stream_options":{"x":[1]}})"),
            R"({"stream":true,"stream_options":)" + both + R"(,"x":[1]}})");
  EXPECT_EQ(asked(R"({"stream":true,"stream_options":{"include_usage":true}})"),
            R"({"stream":true,"stream_options":{"continuous_usage_stats":true,"include_usage":true}})");
  EXPECT_EQ(
      asked(R"({"stream":true,"stream_options":{"include_usage":false,"continuous_usage_stats":null}})"),
      R"({"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true}})");
  EXPECT_EQ(
      asked(R"({"stream":true,"stream_options":{"continuous_usage_stats": false, "include_usage": null}})"),
      R"({"stream":true,"stream_options":{"continuous_usage_stats": true, "include_usage": true}})");
}

TEST_F(EditTest, NothingIsAskedWithoutAStreamOrASupportingEngine) {
  for (const std::string body :
       {R"({"model":"m"})", R"({"stream":false})", R"({"stream":null,"stream_options":{}})",
        R"({"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true}})"}) {
    EXPECT_EQ(asked(body), body);
  }
  EXPECT_EQ(asked(R"({"stream":true})", {false, false}), R"({"stream":true})");
  EXPECT_EQ(asked(R"({"stream":true})", {true, false}),
            R"({"stream_options":{"include_usage":true},"stream":true})");
}

// Every order of members, every state of the client's options: the result means the same but for what we
// asked.
TEST_F(EditTest, EditsMeanWhatTheySay) {
  const std::string model = R"("model":"lora-request")";
  const std::string stream = R"("stream":true)";
  for (const std::string options :
       {"", R"("stream_options":null)", R"("stream_options":{})", R"("stream_options":{"a":1})",
        R"("stream_options":{"include_usage":false,"a":1})",
        R"("stream_options":{"a":1,"continuous_usage_stats":true})"}) {
    std::vector<std::string> members = {model, stream, R"("prompt":"\"model\":\"x\"")"};
    if (!options.empty()) members.push_back(options);
    std::sort(members.begin(), members.end());
    do {
      std::string body = "{";
      for (const std::string& member : members) body += (body.size() > 1 ? ", " : "") + member;
      body += "}";
      const BodyFacts facts = facts_of(body);
      EditList edits;
      edits.ask_for_usage(facts, {});
      edits.replace_model(facts, "\"sql-lora\"");
      const std::string text = edits.apply(body).text();
      auto after = ordered_json::parse(text, nullptr, false);
      ASSERT_FALSE(after.is_discarded()) << text;
      EXPECT_EQ(after["model"], "sql-lora");
      EXPECT_EQ(after["stream_options"]["include_usage"], true) << text;
      EXPECT_EQ(after["stream_options"]["continuous_usage_stats"], true) << text;
      auto before = ordered_json::parse(body);
      for (auto* document : {&before, &after}) {
        document->erase("model");
        if (document->contains("stream_options") && (*document)["stream_options"].is_object()) {
          (*document)["stream_options"].erase("include_usage");
          (*document)["stream_options"].erase("continuous_usage_stats");
        }
      }
      if (!before.contains("stream_options") || before["stream_options"].is_null()) {
        before.erase("stream_options");
        EXPECT_TRUE(after["stream_options"].empty());
        after.erase("stream_options");
      }
      EXPECT_EQ(nlohmann::json::parse(before.dump()), nlohmann::json::parse(after.dump())) << body << "\n"
                                                                                           << text;
    } while (std::next_permutation(members.begin(), members.end()));
  }
}

TEST(EngineTraits, ARefusalTeachesTheNarrowestThing) {
  const EngineTraits all;
  const Injected both{true, true};
  const std::string continuous =
      R"({"object":"error","message":"continuous_usage_stats: Extra inputs are not permitted"})";
  const std::string options = R"({"error":{"message":"Unknown field stream_options","code":400}})";
  const std::string other = R"({"error":{"message":"max_tokens is too large","code":400}})";
  EXPECT_EQ(learn_from_refusal(all, both, 400, continuous), (EngineTraits{true, false}));
  EXPECT_EQ(learn_from_refusal(all, both, 422, options), (EngineTraits{false, false}));
  EXPECT_EQ(learn_from_refusal(all, {false, true}, 400, options), (EngineTraits{true, false}));
  EXPECT_EQ(learn_from_refusal(all, both, 400, other), all);
  EXPECT_EQ(learn_from_refusal(all, both, 500, options), all);
  EXPECT_EQ(learn_from_refusal(all, {}, 400, options), all);

  AtomicTraits shared;
  EXPECT_EQ(shared.load(), all);
  shared.shrink({true, false});
  EXPECT_EQ(shared.load(), (EngineTraits{true, false}));
  shared.shrink({false, true});
  EXPECT_EQ(shared.load(), (EngineTraits{false, false}));
  shared.forget();
  EXPECT_EQ(shared.load(), all);
}

TEST(JsonToken, EveryTextComesBack) {
  EXPECT_EQ(json_token("sql-lora"), "\"sql-lora\"");
  EXPECT_EQ(json_token("a\"b\\c\n\x01"), R"("a\"b\\c\n\u0001")");
  std::string every;
  for (int c = 0; c < 128; ++c) every += static_cast<char>(c);
  every += "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";
  EXPECT_EQ(nlohmann::json::parse(json_token(every)).get<std::string>(), every);
  // Overlong, surrogate, cut and stray bytes.
  for (const char* bad : {"\xC0\x80", "\xED\xA0\x80", "\xE2\x82", "\xF5\x80\x80\x80", "\x80", "\xFF"}) {
    EXPECT_FALSE(nlohmann::json::parse(json_token(bad), nullptr, false).is_discarded());
  }
}

TEST(JsonCursor, RefusesWhatIsBroken) {
  const auto value = [](std::string_view text) {
    JsonCursor cursor(text);
    const std::string result(cursor.value());
    return cursor.at_end() ? result : "refused";
  };
  EXPECT_EQ(value(R"( {"a":[1,{"b":"}"}]} )"), R"({"a":[1,{"b":"}"}]})");
  EXPECT_EQ(value("12.5"), "12.5");
  for (const char* text : {"", "{", "[}", "{\"a\":[1}]", "\"a", "\"a\\", "1 2", "{}}", ","}) {
    EXPECT_EQ(value(text), "refused") << text;
  }
  EXPECT_EQ(value(std::string(65, '[') + std::string(65, ']')), "refused");
}

}  // namespace
}  // namespace tidegate::dialect
