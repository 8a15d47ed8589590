#include "engine/serve/request.h"

#include <gtest/gtest.h>

namespace tidegate::serve {
namespace {

RequestRules rules() {
  RequestRules made;
  made.vocabulary = 1000;
  return made;
}

ApiResult<GenerateRequest> completion(std::string_view body) {
  BodyReader reader;
  return reader.generate(Api::kCompletion, body, rules());
}
ApiResult<GenerateRequest> chat(std::string_view body) {
  BodyReader reader;
  return reader.generate(Api::kChat, body, rules());
}

std::string refusal(const ApiResult<GenerateRequest>& result) {
  if (result) return "accepted";
  return std::to_string(result.error().status) + " " + result.error().type + " " + result.error().message;
}

TEST(Completion, DefaultsAreVllms) {
  const auto request = completion(R"({"prompt": "hi"})");
  ASSERT_TRUE(request.has_value()) << refusal(request);
  EXPECT_EQ(request->model, "");
  EXPECT_EQ(request->max_tokens, 16u);
  EXPECT_EQ(request->n, 1u);
  EXPECT_FLOAT_EQ(request->sampling.temperature, 1);
  EXPECT_EQ(request->sampling.logprobs, -1);
  EXPECT_TRUE(request->add_special_tokens);
  EXPECT_FALSE(request->stream);
}

TEST(Completion, ReadsEveryFormOfPrompt) {
  EXPECT_EQ(completion(R"({"prompt": ["a", "b"]})")->prompts[1].text, "b");
  EXPECT_EQ(completion(R"({"prompt": [1, 2, 3]})")->prompts[0].tokens, (std::vector<batch::Token>{1, 2, 3}));
  const auto lists = completion(R"({"prompt": [[1, 2], [3]]})");
  ASSERT_EQ(lists->prompts.size(), 2u);
  EXPECT_TRUE(lists->prompts[1].is_tokens);
}

TEST(Completion, NullEqualsAbsentAndUnknownFieldsAreIgnored) {
  const auto request = completion(
      R"({"prompt": "x", "temperature": null, "stop": null, "seed": null, "n": null, "max_tokens": null,
          "logit_bias": null, "stream_options": null, "some_vendor_field": {"a": [1]}})");
  ASSERT_TRUE(request.has_value()) << refusal(request);
  EXPECT_EQ(request->max_tokens, 16u);
}

TEST(Completion, ReadsSampling) {
  const auto request = completion(
      R"({"prompt": "x", "max_tokens": 9, "min_tokens": 2, "temperature": 0.5, "top_p": 0.9, "top_k": 40, "min_p": 0.1,
          "presence_penalty": 1, "frequency_penalty": -1, "repetition_penalty": 1.2, "seed": 7, "stop": ["a", "b"],
          "stop_token_ids": [5], "ignore_eos": true, "logprobs": 3, "logit_bias": {"12": 200},
          "include_stop_str_in_output": true, "skip_special_tokens": false, "cache_salt": "s", "n": 2})");
  ASSERT_TRUE(request.has_value()) << refusal(request);
  EXPECT_FLOAT_EQ(request->sampling.top_p, .9f);
  EXPECT_EQ(request->sampling.top_k, 40);
  EXPECT_EQ(request->seed, 7);
  EXPECT_EQ(request->stop.strings.size(), 2u);
  EXPECT_TRUE(request->stop.include_in_output);
  EXPECT_EQ(request->sampling.logprobs, 3);
  EXPECT_FLOAT_EQ(request->sampling.logit_bias[0].second, 100) << "clamped";
  EXPECT_EQ(request->n, 2u);
}

TEST(Completion, NumbersMayBeWrittenAsText) {
  const auto request = completion(
      R"({"prompt": "x", "max_tokens": "9", "temperature": "0.5", "logprobs": true, "logit_bias": {"3": "-1"}})");
  ASSERT_TRUE(request.has_value()) << refusal(request);
  EXPECT_EQ(request->max_tokens, 9u);
  EXPECT_FLOAT_EQ(request->sampling.temperature, .5f);
  EXPECT_EQ(request->sampling.logprobs, 1);
  for (const char* number :
       {"\"\"", "\"1e999\"", "\"inf\"", "\"nan\"", "\"1 \"", "\"0x1\"", "[]", "{}", "true"}) {
    const auto refused = completion(R"({"prompt": "x", "temperature": )" + std::string(number) + "}");
    EXPECT_EQ(refused ? "" : refused.error().param, "body.temperature") << number;
  }
  EXPECT_EQ(completion(R"({"prompt": "x", "max_tokens": "9.5"})").error().param, "body.max_tokens");
}

TEST(Completion, MinusOneMeansNoSeed) { EXPECT_FALSE(completion(R"({"prompt": "x", "seed": -1})")->seed); }

TEST(Completion, RefusesShapesWithThePathOfTheField) {
  EXPECT_EQ(refusal(completion("{}")),
            "400 Bad Request [{'type': 'missing', 'loc': ('body', 'prompt'), 'msg': 'Field required'}]");
  EXPECT_EQ(completion("{}").error().param, "body.prompt");
  EXPECT_EQ(completion(R"({"prompt": ["a", 3]})").error().param, "body.prompt.1");
  EXPECT_EQ(completion(R"({"prompt": "x", "max_tokens": "ten"})").error().param, "body.max_tokens");
  EXPECT_EQ(completion(R"({"prompt": "x", "n": 1.5})").error().param, "body.n");
  EXPECT_EQ(completion(R"({"prompt": "x", "stream": "yes"})").error().param, "body.stream");
  EXPECT_EQ(completion(R"({"prompt": 3})").error().type, "Bad Request");
  for (const std::string_view body :
       {"", "[]", "{", "null", "\"x\"", "{\"prompt\": \"\xff\"}", "{} {}", "nonsense"}) {
    const auto result = completion(body);
    ASSERT_FALSE(result.has_value()) << body;
    EXPECT_EQ(result.error().status, 400) << body;
  }
}

TEST(Completion, RefusesMeaningsInVllmsWords) {
  const auto with = [](std::string_view fields) {
    return refusal(completion("{\"prompt\": \"x\", " + std::string(fields) + "}"));
  };
  EXPECT_EQ(with(R"("temperature": -1)"), "400 BadRequestError temperature must be non-negative, got -1.0.");
  EXPECT_EQ(with(R"("top_p": 0)"), "400 BadRequestError top_p must be in (0, 1], got 0.0.");
  EXPECT_EQ(with(R"("top_k": -5)"), "400 BadRequestError top_k must be 0 (disable), or at least 1, got -5.");
  EXPECT_EQ(with(R"("min_p": 2)"), "400 BadRequestError min_p must be in [0, 1], got 2.0.");
  EXPECT_EQ(with(R"("presence_penalty": 3)"),
            "400 BadRequestError presence_penalty must be in [-2, 2], got 3.0.");
  EXPECT_EQ(with(R"("repetition_penalty": 0)"),
            "400 BadRequestError repetition_penalty must be greater than zero, got 0.0.");
  EXPECT_EQ(with(R"("max_tokens": 0)"), "400 BadRequestError max_tokens must be at least 1, got 0.");
  EXPECT_EQ(with(R"("max_tokens": 0, "echo": true)"), "accepted");
  EXPECT_EQ(with(R"("max_tokens": 5, "min_tokens": 6)"),
            "400 BadRequestError min_tokens must be less than or equal to max_tokens=5, got 6.");
  EXPECT_EQ(with(R"("n": 0)"), "400 BadRequestError n must be at least 1, got 0.");
  EXPECT_EQ(with(R"("n": 2, "temperature": 0)"),
            "400 BadRequestError n must be 1 when using greedy sampling, got 2.");
  EXPECT_EQ(with(R"("n": 1000000)").substr(0, 19), "400 BadRequestError");
  EXPECT_EQ(with(R"("logprobs": 21)"),
            "400 BadRequestError Requested logprobs of 21, which is greater than max allowed: 20");
  EXPECT_EQ(with(R"("stop": "")"), "400 BadRequestError stop cannot contain an empty string.");
  EXPECT_EQ(with(R"("stream_options": {"include_usage": true})"),
            "400 BadRequestError Stream options can only be defined when `stream=True`.");
  EXPECT_EQ(with(R"("suffix": "z")"), "400 BadRequestError suffix is not currently supported");
  EXPECT_EQ(with(R"("use_beam_search": true)").substr(0, 19), "400 BadRequestError");
  EXPECT_EQ(with(R"("use_beam_search": false)"), "accepted");
  EXPECT_EQ(with(R"("priority": 3)").substr(0, 19), "400 BadRequestError");
  EXPECT_EQ(with(R"("response_format": {"type": "structural_tag"})").substr(0, 19), "400 BadRequestError");
  EXPECT_EQ(with(R"("response_format": {"type": "text"})"), "accepted");
  EXPECT_EQ(with(R"("logit_bias": {"5000": 1})").substr(0, 19), "400 BadRequestError");
  EXPECT_EQ(with(R"("logit_bias": {"x": 1})").substr(0, 19), "400 BadRequestError");
  EXPECT_EQ(refusal(completion(R"({"prompt": [5000]})")),
            "400 BadRequestError Token id 5000 is out of vocabulary");
}

TEST(Completion, ReadsWhatTheOutputMustBe) {
  using Kind = guide::Source::Kind;
  const auto with = [](std::string_view fields) {
    return completion("{\"prompt\": \"x\", " + std::string(fields) + "}");
  };
  EXPECT_FALSE(with(R"("response_format": {"type": "text"}, "guided_json": null)")->guide);
  EXPECT_EQ(with(R"("response_format": {"type": "json_object"})")->guide,
            (guide::Source{Kind::kJsonObject, ""}));
  const auto schema =
      with(R"("response_format": {"type": "json_schema", "json_schema": {"schema": {"a": 1}}})");
  EXPECT_EQ(schema->guide, (guide::Source{Kind::kJsonSchema, R"({"a":1})"}));
  EXPECT_EQ(schema->guide_field, "response_format.json_schema.schema");
  EXPECT_EQ(with(R"("guided_json": "{}")")->guide, (guide::Source{Kind::kJsonSchema, "{}"}));
  EXPECT_EQ(with(R"("guided_regex": "a+")")->guide, (guide::Source{Kind::kRegex, "a+"}));
  EXPECT_EQ(with(R"("guided_choice": ["a", "b"])")->guide, (guide::Source{Kind::kChoice, R"(["a","b"])"}));
  EXPECT_EQ(with(R"("structured_outputs": {"disable_any_whitespace": true, "json": {}})")->guide,
            (guide::Source{Kind::kJsonSchema, "{}", false}));
  EXPECT_EQ(refusal(with(R"("structured_outputs": {"choice": ["a"], "regex": "b"})")),
            "400 BadRequestError You can only use one kind of constraints for structured outputs ('json', "
            "'regex' or "
            "'choice').");
  EXPECT_EQ(
      refusal(with(R"("guided_grammar": "root ::= x")")),
      "400 BadRequestError guided_grammar is not supported by this engine; use a JSON schema, a regular "
      "expression or a list of choices.");
}

TEST(Completion, OldEnginesRefuseUnknownStreamOptions) {
  RequestRules old = rules();
  old.strict_stream_options = true;
  BodyReader reader;
  const std::string_view body =
      R"({"prompt": "x", "stream": true, "stream_options": {"include_usage": true, "continuous_usage_stats": true}})";
  EXPECT_EQ(reader.generate(Api::kCompletion, body, old).error().param,
            "body.stream_options.continuous_usage_stats");
  const auto today = completion(body);
  EXPECT_TRUE(today->include_usage && today->continuous_usage);
}

TEST(Chat, ReadsMessagesAndKeepsTheirJson) {
  const auto request = chat(
      R"({"messages": [{"role": "system", "content": "be brief"},
          {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
          {"role": "assistant", "content": null, "tool_calls": []}], "max_tokens": 5, "max_completion_tokens": 3})");
  ASSERT_TRUE(request.has_value()) << refusal(request);
  ASSERT_EQ(request->chat.messages.size(), 3u);
  EXPECT_EQ(request->chat.messages[1].content, "a\nb");
  EXPECT_NE(request->chat.messages_json.find("\"tool_calls\""), std::string::npos);
  EXPECT_EQ(request->max_tokens, 3u) << "max_completion_tokens wins";
  EXPECT_FALSE(request->add_special_tokens);
  EXPECT_FALSE(chat(R"({"messages": [{"role": "user", "content": "x"}]})")->max_tokens);
}

TEST(Chat, RefusesWhatItCannotDo) {
  const auto with = [](std::string_view fields) {
    return refusal(chat(R"({"messages": [{"role": "user", "content": "x"}], )" + std::string(fields) + "}"));
  };
  EXPECT_EQ(refusal(chat("{}")).substr(0, 15), "400 Bad Request");
  EXPECT_EQ(chat(R"({"messages": []})").error().status, 400);
  EXPECT_EQ(chat(R"({"messages": [{"content": "x"}]})").error().param, "body.messages.0.role");
  EXPECT_EQ(chat(R"({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]})").error().status,
            400);
  EXPECT_EQ(with(R"("top_logprobs": 2)"),
            "400 BadRequestError when using `top_logprobs`, `logprobs` must be set to true.");
  EXPECT_EQ(with(R"("logprobs": true, "top_logprobs": 2)"), "accepted");
  EXPECT_EQ(with(R"("tools": [])").substr(0, 19), "400 BadRequestError");
  EXPECT_EQ(with(R"("tools": [{"type": "function", "function": {"name": "f"}}])"),
            "400 BadRequestError \"auto\" tool choice requires --enable-auto-tool-choice and "
            "--tool-call-parser to be set");
  EXPECT_EQ(with(R"("tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "none")"),
            "accepted");
  EXPECT_EQ(with(R"("continue_final_message": true)").substr(0, 19), "400 BadRequestError");
}

TEST(Chat, ANamedFunctionsArgumentsAreTheOutput) {
  const auto with = [](std::string_view fields) {
    return chat(R"({"messages": [{"role": "user", "content": "x"}], "tools": [
      {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}},
      {"type": "function", "function": {"name": "g"}}], )" +
                std::string(fields) + "}");
  };
  using Kind = guide::Source::Kind;
  const auto f = with(R"("tool_choice": {"type": "function", "function": {"name": "f"}})");
  ASSERT_TRUE(f.has_value()) << refusal(f);
  EXPECT_EQ(f->tool_name, "f");
  EXPECT_FALSE(f->tool_required);
  EXPECT_EQ(f->guide, (guide::Source{Kind::kJsonSchema, R"({"type":"object"})"}));
  const auto g = with(R"("tool_choice": {"type": "function", "function": {"name": "g"}})");
  EXPECT_EQ(g->guide, (guide::Source{Kind::kJsonSchema, R"({"type":"object","properties":{}})"}));
  EXPECT_EQ(
      refusal(with(R"("tool_choice": {"type": "function", "function": {"name": "h"}})")),
      "400 BadRequestError The tool specified in `tool_choice` does not match any of the specified `tools`");
  EXPECT_EQ(refusal(with(R"("tool_choice": "required")")).substr(0, 45),
            "400 BadRequestError tool_choice \"required\" is");
  EXPECT_EQ(refusal(with(R"("tool_choice": "maybe")")).substr(0, 45),
            "400 BadRequestError tool_choice \"maybe\" is no");
  EXPECT_EQ(with(R"("tool_choice": {"type": "function"})").error().param, "body.tool_choice.function.name");
  EXPECT_EQ(with(R"("tools": [{"type": "function"}])").error().param, "body.tools.0.function.name");
  const auto only = chat(R"({"messages": [{"role": "user", "content": "x"}], "tool_choice": "required",
      "tools": [{"type": "function", "function": {"name": "f"}}]})");
  ASSERT_TRUE(only.has_value()) << refusal(only);
  EXPECT_TRUE(only->tool_required);
}

TEST(Completion, ReadsBadWords) {
  EXPECT_EQ(completion(R"({"prompt": "x", "bad_words": ["a", " b"]})")->bad_words.size(), 2u);
  EXPECT_EQ(refusal(completion(R"({"prompt": "x", "bad_words": [""]})")),
            "400 BadRequestError bad_words cannot contain an empty string.");
}

TEST(Context, FitsOrSaysHowLong) {
  auto request = *completion(R"({"prompt": "x", "max_tokens": 10})");
  EXPECT_TRUE(fit_to_context(request, 90, 100).has_value());
  EXPECT_EQ(request.sampling.max_tokens, 10u);
  const auto tight = fit_to_context(request, 91, 100);
  ASSERT_FALSE(tight.has_value());
  EXPECT_EQ(tight.error().message,
            "This model's maximum context length is 100 tokens. However, you requested 101 tokens (91 in the "
            "messages, 10 in the completion). Please reduce the length of the messages or completion.");
  EXPECT_NE(fit_to_context(request, 100, 100).error().message.find("maximum context length"),
            std::string::npos);
  EXPECT_FALSE(fit_to_context(request, 0, 100).has_value());

  auto open = *chat(R"({"messages": [{"role": "user", "content": "x"}]})");
  EXPECT_TRUE(fit_to_context(open, 30, 100).has_value());
  EXPECT_EQ(open.sampling.max_tokens, 70u);
  EXPECT_FALSE(open.sampling.max_tokens_given);
}

TEST(Tokenize, TakesAPromptOrMessages) {
  BodyReader reader;
  EXPECT_EQ(reader.tokenize(R"({"prompt": "x"})")->prompt, "x");
  EXPECT_TRUE(reader.tokenize(R"({"prompt": "x"})")->add_special_tokens);
  EXPECT_FALSE(reader.tokenize(R"({"messages": [{"role": "user", "content": "x"}]})")->add_special_tokens);
  EXPECT_FALSE(reader.tokenize("{}").has_value());
  EXPECT_EQ(reader.detokenize(R"({"tokens": [1, 2]})", 10)->tokens.size(), 2u);
  EXPECT_FALSE(reader.detokenize(R"({"tokens": [11]})", 10).has_value());
}

}  // namespace
}  // namespace tidegate::serve
