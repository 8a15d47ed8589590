// Request bodies of the engine: whatever comes is refused with a readable error, or its answer is valid JSON;
// prompts survive tokenising.

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "base/check.h"
#include "engine/latency/pseudo_tokenizer.h"
#include "engine/serve/answer.h"
#include "engine/serve/request.h"

using namespace tidegate;
using namespace tidegate::serve;

namespace {

const latency::PseudoTokenizer kTokenizer;

void check_text(const std::string& text) {
  const auto decoder = kTokenizer.decoder({}, false);
  std::string back;
  for (const batch::Token token : kTokenizer.encode(text, false)) decoder->push(token, back);
  decoder->finish(back);
  TG_CHECK(back == text);
}

void check_generate(Api api, std::string_view body, const RequestRules& rules) {
  BodyReader reader;
  auto request = reader.generate(api, body, rules);
  if (!request) {
    TG_CHECK(request.error().status >= 400 && request.error().status < 500);
    TG_CHECK(nlohmann::json::accept(error_body(request.error(), false)));
    return;
  }
  constexpr std::size_t kChoicesMax = 64;
  if (request->n * std::max<std::size_t>(request->prompts.size(), 1) > kChoicesMax) return;
  std::vector<AnswerPrompt> prompts;
  for (const Prompt& prompt : request->prompts) {
    if (!prompt.is_tokens) check_text(prompt.text);
    prompts.push_back({prompt.text, prompt.is_tokens ? prompt.tokens : kTokenizer.encode(prompt.text, true)});
  }
  if (api == Api::kChat) {
    const auto text = kTokenizer.render_chat(request->chat);
    TG_CHECK(text.has_value());
    prompts.push_back({*text, kTokenizer.encode(*text, false)});
  }
  if (prompts.empty()) return;
  request->stream = false;
  Answer answer(*request, {"id", 1, request->model}, prompts, TokenNames{kTokenizer, request->tokens_as_ids},
                {});
  std::string events;
  for (std::size_t i = 0; i < prompts.size() * request->n; ++i) {
    batch::Output output;
    output.token = 300;
    output.text = kTokenizer.piece(300);
    output.completion_tokens = 1;
    output.end = std::make_unique<batch::End>();
    output.end->finish = batch::Finish::kLength;
    answer.add(i, output, events);
  }
  TG_CHECK(answer.done());
  TG_CHECK(nlohmann::json::accept(answer.body()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  RequestRules rules;
  rules.vocabulary = kTokenizer.vocabulary();
  check_generate(Api::kCompletion, body, rules);
  check_generate(Api::kChat, body, rules);
  BodyReader reader;
  if (const auto asked = reader.tokenize(body); asked && asked->prompt) check_text(*asked->prompt);
  (void)reader.detokenize(body, rules.vocabulary);
  (void)reader.adapter(body);
  return 0;
}
