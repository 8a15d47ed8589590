#include "engine/serve/answer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/batch/testing/fake_model.h"

namespace tidegate::serve {
namespace {

using nlohmann::json;

batch::Output output(std::string text, std::uint32_t count, std::optional<batch::Finish> finish = {}) {
  batch::Output made;
  made.token = static_cast<batch::Token>(count);
  made.text = std::move(text);
  made.prompt_tokens = 4;
  made.cached_tokens = 1;
  made.completion_tokens = count;
  if (finish) {
    made.end = std::make_unique<batch::End>();
    made.end->finish = *finish;
  }
  return made;
}

struct Rig {
  explicit Rig(std::string_view body, Api api = Api::kCompletion, AnswerOptions options = {}) {
    RequestRules rules;
    rules.vocabulary = 27;
    BodyReader reader;
    request = *reader.generate(api, body, rules);
    for (const Prompt& prompt : request.prompts) {
      prompts.push_back({prompt.text, tokenizer.encode(prompt.text, true)});
    }
    if (api == Api::kChat) prompts.push_back({"chat", {1, 2, 3, 4}});
    answer.emplace(request, AnswerHead{api == Api::kChat ? "chatcmpl-1" : "cmpl-1", 1700000000, "sql-lora"},
                   prompts, TokenNames{tokenizer, request.tokens_as_ids}, options);
  }

  batch::testing::FakeTokenizer tokenizer;
  GenerateRequest request;
  std::vector<AnswerPrompt> prompts;
  std::optional<Answer> answer;
  std::string events;
};

TEST(Answer, CompletionStreamGolden) {
  Rig rig(R"({"prompt": "ab", "stream": true})");
  rig.answer->open(rig.events);
  rig.answer->add(0, output("SELECT \"x\"", 1), rig.events);
  rig.answer->add(0, output("\n", 2, batch::Finish::kLength), rig.events);
  ASSERT_TRUE(rig.answer->done());
  rig.answer->finish(rig.events);
  EXPECT_EQ(
      rig.events,
      R"(data: {"id":"cmpl-1","object":"text_completion","created":1700000000,"model":"sql-lora","choices":[{"index":0,"text":"SELECT \"x\"","logprobs":null,"finish_reason":null,"stop_reason":null}],"usage":null})"
      "\n\n"
      R"(data: {"id":"cmpl-1","object":"text_completion","created":1700000000,"model":"sql-lora","choices":[{"index":0,"text":"\n","logprobs":null,"finish_reason":"length","stop_reason":null}],"usage":null})"
      "\n\n"
      "data: [DONE]\n\n");
}

constexpr std::string_view kToolRequest = R"({"messages": [{"role": "user", "content": "q"}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "tools": [{"type": "function", "function": {"name": "f"}}])";

TEST(Answer, ACallOfAFunctionIsNoText) {
  Rig rig(std::string(kToolRequest) + "}", Api::kChat);
  rig.answer->add(0, output("{\"a\":", 1), rig.events);
  rig.answer->add(0, output("1}", 2, batch::Finish::kStop), rig.events);
  const std::string body = rig.answer->body();
  EXPECT_NE(body.find(R"("message":{"role":"assistant","content":"","reasoning_content":null,"tool_calls":[)"
                      R"({"id":"chatcmpl-tool-chatcmpl-1-0","type":"function","function":{"name":"f",)"
                      R"("arguments":"{\"a\":1}"}}]},"logprobs":null,"finish_reason":"stop")"),
            std::string::npos)
      << body;
}

TEST(Answer, ACallOfAFunctionStreamsItsArguments) {
  Rig rig(std::string(kToolRequest) + R"(, "stream": true})", Api::kChat);
  rig.answer->add(0, output("{\"a\":", 1), rig.events);
  rig.answer->add(0, output("1}", 2, batch::Finish::kStop), rig.events);
  EXPECT_NE(rig.events.find(R"("delta":{"tool_calls":[{"index":0,"id":"chatcmpl-tool-chatcmpl-1-0",)"
                            R"("type":"function","function":{"name":"f","arguments":"{\"a\":"}}]})"),
            std::string::npos)
      << rig.events;
  EXPECT_NE(rig.events.find(R"("delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]})"),
            std::string::npos)
      << rig.events;
}

TEST(Answer, ChatStreamGoldenWithUsage) {
  Rig rig(R"({"messages": [{"role": "user", "content": "q"}], "stream": true,
              "stream_options": {"include_usage": true, "continuous_usage_stats": true}})",
          Api::kChat);
  rig.answer->open(rig.events);
  rig.answer->add(0, output("hi", 1, batch::Finish::kStop), rig.events);
  rig.answer->finish(rig.events);
  EXPECT_EQ(
      rig.events,
      R"(data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"sql-lora","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]})"
      "\n\n"
      R"(data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"sql-lora","choices":[{"index":0,"delta":{"content":"hi"},"logprobs":null,"finish_reason":"stop","stop_reason":null}],"usage":{"prompt_tokens":4,"total_tokens":5,"completion_tokens":1}})"
      "\n\n"
      R"(data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"sql-lora","choices":[],"usage":{"prompt_tokens":4,"total_tokens":5,"completion_tokens":1}})"
      "\n\n"
      "data: [DONE]\n\n");
}

TEST(Answer, CompletionBody) {
  Rig rig(R"({"prompt": "ab"})", Api::kCompletion, {.prompt_tokens_details = true});
  rig.answer->add(0, output("x", 1), rig.events);
  auto last = output("y", 2, batch::Finish::kStop);
  last.end->stop_string = "END";
  rig.answer->add(0, last, rig.events);
  EXPECT_TRUE(rig.events.empty());
  const json body = json::parse(rig.answer->body());
  EXPECT_EQ(body["object"], "text_completion");
  EXPECT_EQ(body["choices"][0]["text"], "xy");
  EXPECT_EQ(body["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(body["choices"][0]["stop_reason"], "END");
  EXPECT_EQ(body["usage"]["completion_tokens"], 2);
  EXPECT_EQ(body["usage"]["prompt_tokens_details"]["cached_tokens"], 1);
}

TEST(Answer, ChatBody) {
  Rig rig(R"({"messages": [{"role": "user", "content": "q"}]})", Api::kChat);
  rig.answer->add(0, output("hello", 3, batch::Finish::kStop), rig.events);
  const json body = json::parse(rig.answer->body());
  EXPECT_EQ(body["object"], "chat.completion");
  EXPECT_EQ(body["choices"][0]["message"]["content"], "hello");
  EXPECT_TRUE(body["choices"][0]["stop_reason"].is_null());
  EXPECT_FALSE(body["usage"].contains("prompt_tokens_details"));
}

TEST(Answer, ChoicesOfSeveralPromptsCountEachPromptOnce) {
  Rig rig(R"({"prompt": ["ab", "cd"], "n": 2})");
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_FALSE(rig.answer->done());
    rig.answer->add(i, output(std::to_string(i), 1, batch::Finish::kLength), rig.events);
  }
  const json body = json::parse(rig.answer->body());
  EXPECT_EQ(body["choices"][3]["index"], 3);
  EXPECT_EQ(body["choices"][3]["text"], "3");
  EXPECT_EQ(body["usage"]["prompt_tokens"], 8);
  EXPECT_EQ(body["usage"]["completion_tokens"], 4);
}

TEST(Answer, EchoShowsThePromptAndMayShowNothingElse) {
  Rig rig(R"({"prompt": "ab", "echo": true})");
  rig.answer->add(0, output("z", 1, batch::Finish::kLength), rig.events);
  EXPECT_EQ(json::parse(rig.answer->body())["choices"][0]["text"], "abz");
  Rig alone(R"({"prompt": "ab", "echo": true, "max_tokens": 0})");
  alone.answer->add(0, output("z", 1, batch::Finish::kLength), alone.events);
  const json body = json::parse(alone.answer->body());
  EXPECT_EQ(body["choices"][0]["text"], "ab");
  EXPECT_EQ(body["usage"]["completion_tokens"], 0);
}

batch::Output with_logprobs(std::string text, batch::Token token, std::uint32_t count) {
  batch::Output made =
      output(std::move(text), count, count == 2 ? std::optional(batch::Finish::kLength) : std::nullopt);
  made.token = token;
  made.logprobs = std::make_unique<batch::Logprobs>();
  made.logprobs->sample.token = token;
  made.logprobs->sample.chosen = {token, -0.5f, 1};
  made.logprobs->sample.top = {{token, -0.5f, 1}, {3, -std::numeric_limits<float>::infinity(), 2}};
  return made;
}

TEST(Answer, CompletionLogprobs) {
  Rig rig(R"({"prompt": "ab", "logprobs": 2, "echo": true})");
  auto first = with_logprobs("b", 1, 1);
  first.logprobs->prompt.push_back({0, 1, {1, -0.25f, 1}, {}});
  rig.answer->add(0, first, rig.events);
  rig.answer->add(0, with_logprobs("c", 2, 2), rig.events);
  const json logprobs = json::parse(rig.answer->body())["choices"][0]["logprobs"];
  EXPECT_EQ(logprobs["tokens"], json({"a", "b", "b", "c"}));
  EXPECT_EQ(logprobs["text_offset"], json({0, 1, 2, 3}));
  EXPECT_EQ(logprobs["token_logprobs"], json({nullptr, -0.25, -0.5, -0.5}));
  EXPECT_EQ(logprobs["top_logprobs"][3], json({{"c", -0.5}, {"d", -9999.0}}));
}

TEST(Answer, ChatLogprobsInAStreamBelongToTheirChunk) {
  Rig rig(
      R"({"messages": [{"role": "user", "content": "q"}], "stream": true, "logprobs": true, "top_logprobs": 2})",
      Api::kChat);
  rig.answer->add(0, with_logprobs("b", 1, 1), rig.events);
  rig.events.clear();
  rig.answer->add(0, with_logprobs("c", 2, 2), rig.events);
  const json chunk = json::parse(rig.events.substr(6));
  ASSERT_EQ(chunk["choices"][0]["logprobs"]["content"].size(), 1u);
  EXPECT_EQ(chunk["choices"][0]["logprobs"]["content"][0]["token"], "c");
  EXPECT_EQ(chunk["choices"][0]["logprobs"]["content"][0]["bytes"], json({99}));
  EXPECT_EQ(chunk["choices"][0]["logprobs"]["content"][0]["top_logprobs"][1]["token"], "d");
}

TEST(Answer, TokenIdsOnRequest) {
  Rig rig(R"({"prompt": "ab", "return_token_ids": true, "logprobs": 0, "return_tokens_as_token_ids": true})");
  rig.answer->add(0, with_logprobs("b", 1, 1), rig.events);
  rig.answer->add(0, with_logprobs("c", 2, 2), rig.events);
  const json choice = json::parse(rig.answer->body())["choices"][0];
  EXPECT_EQ(choice["token_ids"], json({1, 2}));
  EXPECT_EQ(choice["prompt_token_ids"], json({0, 1}));
  EXPECT_EQ(choice["logprobs"]["tokens"], json({"token_id:1", "token_id:2"}));
}

TEST(Answer, AnErrorAfterTheFirstByteIsAnErrorEvent) {
  Rig rig(R"({"prompt": "ab", "stream": true})");
  rig.answer->add(0, output("x", 1), rig.events);
  auto failed = output("", 1, batch::Finish::kError);
  failed.end->error = {Code::kInternal, "", "the engine is broken"};
  rig.events.clear();
  rig.answer->add(0, failed, rig.events);
  ASSERT_TRUE(rig.answer->done());
  rig.answer->finish(rig.events);
  EXPECT_EQ(rig.events,
            "data: {\"error\":{\"message\":\"the engine is "
            "broken\",\"type\":\"InternalServerError\",\"param\":null,"
            "\"code\":500}}\n\ndata: [DONE]\n\n");
}

TEST(ErrorBody, BothShapes) {
  EXPECT_EQ(
      error_body(not_found("x"), false),
      R"({"error":{"message":"The model `x` does not exist.","type":"NotFoundError","param":"model","code":404}})");
  EXPECT_EQ(
      error_body(not_found("x"), true),
      R"({"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","param":"model","code":404})");
}

}  // namespace
}  // namespace tidegate::serve
