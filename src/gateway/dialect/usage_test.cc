#include "gateway/dialect/usage.h"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "gateway/dialect/json_text.h"

namespace tidegate::dialect {
namespace {

using Action = UsageSse::Action;
using nlohmann::ordered_json;

TEST(Usage, ReadsEveryShape) {
  EXPECT_EQ(
      read_usage(
          R"({"prompt_tokens":5,"total_tokens":12,"completion_tokens":7,"prompt_tokens_details":null})"),
      (Usage{5, 7, 12, std::nullopt}));
  EXPECT_EQ(
      read_usage(
          R"({"prompt_tokens": 5, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 0}})"),
      (Usage{5, 7, 12, 0}));
  EXPECT_EQ(
      read_usage(
          R"({"input_tokens":5,"input_tokens_details":{"a":{},"cached_tokens":4},"output_tokens":7.0})"),
      (Usage{5, 7, 12, 4}));
  for (const char* text :
       {"", "{}", "null", "{\"a\":1}", "{\"prompt_tokens\":-1}", "{\"prompt_tokens\":\"5\"}",
        "{\"prompt_tokens\":5", "[5]", "{\"prompt_tokens\":5}x"}) {
    EXPECT_FALSE(read_usage(text).has_value()) << text;
  }
}

std::optional<Usage> scanned(std::string_view body, std::size_t cut) {
  UsageScan scan;
  scan.feed(body.substr(0, cut));
  scan.feed(body.substr(cut));
  return scan.result();
}

TEST(FindWord, FindsTheFirstWherever) {
  const std::string word = "\"usage\"";
  for (std::size_t before = 0; before < 70; ++before) {
    for (std::size_t after = 0; after < 40; ++after) {
      const std::string near = "\"usagf\"\"uzage\"usage";
      const std::string filler =
          (near + near + near).substr(0, before) + std::string(before > 60 ? before - 60 : 0, 'u');
      const std::string text = filler + word + word + std::string(after, '"');
      EXPECT_EQ(find_word(text, word), text.find(word)) << before << " " << after;
      const std::string tail = filler + std::string(after, 'u');
      EXPECT_EQ(find_word(tail, word), tail.find(word)) << before << " " << after;
    }
  }
  EXPECT_EQ(find_word("", word), std::string::npos);
}

TEST(UsageScan, FindsUsageAtEveryCut) {
  const std::string body =
      R"({"id":"cmpl-1","choices":[{"text":"say \"usage\": {\"prompt_tokens\":1}"}], "usage" : {"prompt_tokens":5,)"
      R"("completion_tokens":7,"note":"}","total_tokens":12},"kv_transfer_params":null})";
  const Usage expected{5, 7, 12, std::nullopt};
  for (std::size_t cut = 0; cut <= body.size(); ++cut) EXPECT_EQ(scanned(body, cut), expected) << cut;
  UsageScan bytewise;
  for (const char& c : body) bytewise.feed({&c, 1});
  EXPECT_EQ(bytewise.result(), expected);
}

TEST(UsageScan, UnknownStaysUnknown) {
  EXPECT_FALSE(scanned(R"({"usage":null,"x":1})", 5).has_value());
  EXPECT_FALSE(scanned(R"({"a":"usage","b":{"prompt_tokens":1}})", 9).has_value());
  EXPECT_FALSE(scanned(R"({"usage":{"prompt_tokens":5)", 9).has_value());
  EXPECT_FALSE(
      scanned(R"({"usage":{"prompt_tokens":5,"x":")" + std::string(3000, 'x') + "\"}}", 9).has_value());
  EXPECT_EQ(scanned(R"({"usage":7,"usage":{"prompt_tokens":5}})", 9), (Usage{5, 0, 5, std::nullopt}));
}

const std::string kChatHead =
    R"({"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"sql-lora","choices":[)";
const std::string kRunning = R"(,"usage":{"prompt_tokens":9,"total_tokens":12,"completion_tokens":3})";

// The engine's data with our injection, and what it would have sent without.
struct Recorded {
  std::string with;
  std::string without;
};

std::vector<Recorded> chat_stream() {
  const auto chunk = [](const std::string& choice) {
    return Recorded{kChatHead + choice + "]" + kRunning + "}", kChatHead + choice + "]}"};
  };
  return {
      chunk(R"({"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null})"),
      chunk(
          R"({"index":0,"delta":{"content":"\"usage\":{\"prompt_tokens\":1}"},"logprobs":null,"finish_reason":null})"),
      chunk(
          R"({"index":0,"delta":{"content":"}]"},"logprobs":null,"finish_reason":"length","stop_reason":null})"),
      {kChatHead + R"(],"usage":{"prompt_tokens":9,"total_tokens":12,"completion_tokens":3}})", ""},
      {"[DONE]", "[DONE]"}};
}

std::string shown(const UsageSse& sse, const std::string& data) {
  const UsageSse::Verdict verdict = sse.look(data);
  switch (verdict.action) {
    case Action::kForward:
      return data;
    case Action::kDrop:
      return "";
    case Action::kCut:
      return data.substr(0, verdict.cut.begin) + data.substr(verdict.cut.end);
  }
  return data;
}

TEST(UsageSse, StrippingGivesWhatTheEngineWouldHaveSent) {
  const UsageSse sse(Injected{true, true});
  for (const Recorded& event : chat_stream()) EXPECT_EQ(shown(sse, event.with), event.without);
}

TEST(UsageSse, WithoutAnInjectionNothingIsTouched) {
  const UsageSse sse(Injected{});
  for (const Recorded& event : chat_stream()) {
    EXPECT_EQ(shown(sse, event.with), event.with);
    EXPECT_EQ(shown(sse, event.without), event.without);
  }
}

TEST(UsageSse, TheFinalUsageAClientAskedForStays) {
  const UsageSse sse(Injected{false, true});
  const auto stream = chat_stream();
  EXPECT_EQ(shown(sse, stream[0].with), stream[0].without);
  EXPECT_EQ(shown(sse, stream[3].with), stream[3].with);
}

// Asking for include_usage wakes the client's own continuous_usage_stats, which an engine ignored before.
TEST(UsageSse, RunningUsageThatOnlyOurAskingWokeIsCut) {
  const UsageSse sse(Injected{true, false});
  const auto stream = chat_stream();
  EXPECT_EQ(shown(sse, stream[0].with), stream[0].without);
}

TEST(UsageSse, ReportsCounts) {
  const UsageSse sse(Injected{true, true});
  const auto stream = chat_stream();
  const UsageSse::Verdict running = sse.look(stream[1].with);
  EXPECT_EQ(running.usage, (Usage{9, 3, 12, std::nullopt}));
  EXPECT_FALSE(running.is_final);
  EXPECT_TRUE(sse.look(stream[3].with).is_final);
  EXPECT_EQ(sse.look(stream[3].with).usage, (Usage{9, 3, 12, std::nullopt}));
  EXPECT_TRUE(sse.look("[DONE]").done);
  EXPECT_FALSE(sse.look(stream[1].without).usage.has_value());
  EXPECT_EQ(
      sse.look(R"({"choices":[{"index":3,"text":"a"}],"usage":{"prompt_tokens":1,"completion_tokens":1}})")
          .choice,
      3U);
  EXPECT_EQ(
      sse.look(
             R"({"choices": [{"text":"a","index": 3}], "usage": {"prompt_tokens":1,"completion_tokens":1}})")
          .choice,
      3U);
}

TEST(UsageSse, ErrorsInTheStreamAreSeen) {
  const UsageSse sse;
  EXPECT_TRUE(sse.look(R"({"error":{"message":"x","code":500}})").error);
  EXPECT_TRUE(sse.look(R"({"object":"error","message":"x"})").error);
  EXPECT_FALSE(sse.look(R"({"choices":[{"text":"\"error\""}]})").error);
  EXPECT_FALSE(sse.look(R"({"choices":[{"text":"","x":{"error":1}}],"error":null})").error);
}

TEST(UsageSse, NullUsageAndForeignDataPassUntouched) {
  const UsageSse sse(Injected{true, true});
  for (const std::string data :
       {R"({"choices":[{"index":0,"text":"a"}],"usage":null})", "", "hello \"usage\" {", "\"usage\"",
        "\"usage\":{}}", R"({"usage")", R"({"a":{"usage":{"prompt_tokens":1}},"choices":[{"index":0}]})",
        R"({"usage":{"prompt_tokens":1})"}) {
    EXPECT_EQ(shown(sse, data), data);
  }
}

// Member orders, white space and nesting that vLLM does not use today: the cut equals deleting the member
// from a document.
TEST(UsageSse, AgreesWithADocumentReader) {
  const UsageSse sse(Injected{true, true});
  std::vector<std::string> members = {R"("id":"x")", R"("choices":[{"delta":{"usage":{"a":1}},"index":2}])",
                                      R"("usage":{"prompt_tokens":4,"completion_tokens":2,"d":{"x":"}\""}})",
                                      R"("z":[{"choices":[]}])"};
  std::sort(members.begin(), members.end());
  for (const std::string comma : {",", " ,\n "}) {
    do {
      std::string data = "{ ";
      for (std::size_t i = 0; i < members.size(); ++i) data += (i > 0 ? comma : "") + members[i];
      data += " }";
      ordered_json expected = ordered_json::parse(data);
      expected.erase("usage");
      const UsageSse::Verdict verdict = sse.look(data);
      ASSERT_EQ(verdict.action, Action::kCut) << data;
      EXPECT_EQ(verdict.choice, 2U);
      EXPECT_EQ(verdict.usage, (Usage{4, 2, 6, std::nullopt}));
      const std::string text = shown(sse, data);
      const auto after = ordered_json::parse(text, nullptr, false);
      ASSERT_FALSE(after.is_discarded()) << text;
      EXPECT_EQ(after.dump(), expected.dump()) << data;
    } while (std::next_permutation(members.begin(), members.end()));
  }
  // Alone in its object.
  EXPECT_EQ(shown(sse, R"({"usage":{"prompt_tokens":4}})"), "{}");
}

}  // namespace
}  // namespace tidegate::dialect
