// One request's answer, from the stepper's outputs to the bytes of the response: a JSON body, or server-sent
// events.
//
// A request with P prompts and n choices has P * n sequences; sequence prompt * n + k is choice index prompt
// * n + k.
//
//   Answer answer(request, head, prompts, names, options);
//   answer.add(choice, output, events);      per output; appends events if the request streams
//   answer.done() -> answer.finish(events), or answer.body()
//
// Thread: one owner. Pure.
// Source: reference model-server.md section 1.3.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/serve/logprobs_json.h"
#include "engine/serve/request.h"

namespace tidegate::serve {

struct AnswerHead {
  std::string id;  // "cmpl-..." or "chatcmpl-..."
  std::int64_t created = 0;
  std::string model;  // who served: the adapter's name, or the first served name
};

struct AnswerOptions {
  bool prompt_tokens_details = false;  // --enable-prompt-tokens-details
  bool force_include_usage = false;    // --enable-force-include-usage
  bool flat_errors = false;
};

// A prompt as the answer may have to show it again.
struct AnswerPrompt {
  std::string text;
  std::vector<batch::Token> tokens;
};

class Answer {
 public:
  // `request`, `prompts` and the tokenizer outlive the answer. Prompts are kept only for echoes and returned
  // ids.
  Answer(const GenerateRequest& request, AnswerHead head, const std::vector<AnswerPrompt>& prompts,
         TokenNames names, AnswerOptions options);

  // What a stream begins with: for chat, each choice's role.
  void open(std::string& events) const;

  void add(std::size_t choice, const batch::Output& output, std::string& events);

  bool done() const { return ended_ == choices_.size(); }
  // The first sequence that ended in an error, if one did: then the answer is that error.
  const Error* error() const { return failed_ ? &error_ : nullptr; }

  // The end of a stream: an error or the usage, then [DONE].
  void finish(std::string& events) const;

  std::string body() const;

 private:
  struct Choice {
    std::string text;
    std::string logprobs;  // chat: inside of the content array
    CompletionLogprobs arrays;
    std::string prompt_logprobs;
    std::vector<batch::Token> tokens;
    std::string finish;  // "finish_reason":...,"stop_reason":... once ended
    std::uint32_t completion_tokens = 0;
    bool begun = false;
    bool tool_told = false;  // a stream has named the function
    bool ended = false;
  };

  bool chat() const { return request_.api == Api::kChat; }
  void begin_choice(Choice& choice, std::size_t index, const batch::Output& output, std::string& text);
  void append_chunk(Choice& choice, std::size_t index, std::string_view text, const batch::Output& output,
                    std::string& events);
  void append_tool_call(std::string& out, std::size_t index, bool whole, std::string_view arguments) const;
  void append_choice(std::string& out, const Choice& choice, std::size_t index) const;
  void append_usage(std::string& out) const;
  const AnswerPrompt& prompt_of(std::size_t index) const { return prompts_[index / request_.n]; }

  const GenerateRequest& request_;
  AnswerHead head_;
  const std::vector<AnswerPrompt>& prompts_;
  TokenNames names_;
  AnswerOptions options_;
  std::string chunk_prefix_;  // up to the choice's index
  std::vector<Choice> choices_;
  std::size_t ended_ = 0;
  std::size_t prompt_tokens_ = 0;
  std::size_t cached_tokens_ = 0;
  std::size_t completion_tokens_ = 0;
  bool failed_ = false;
  Error error_;
};

}  // namespace tidegate::serve
