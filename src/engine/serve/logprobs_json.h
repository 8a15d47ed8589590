// Logprobs as the two APIs and prompt_logprobs show them.
//
// Thread: pure, but for CompletionLogprobs, which has one owner.
// Source: reference model-server.md section 1.3.

#pragma once

#include <string>
#include <vector>

#include "engine/batch/request.h"
#include "engine/batch/tokenizer.h"

namespace tidegate::serve {

// How tokens are named.
struct TokenNames {
  const batch::Tokenizer& tokenizer;
  bool as_ids = false;  // "token_id:N"

  std::string of(batch::Token token) const;
};

// The parallel arrays of /v1/completions: text_offset, tokens, token_logprobs, top_logprobs.
class CompletionLogprobs {
 public:
  // `offset` is that of the next token's text, in characters of the choice's whole text.
  void add(const TokenNames& names, const batch::Sample& sample);
  // A prompt token of an echo; null logprob for the first.
  void add_prompt(const TokenNames& names, batch::Token token, const batch::PromptLogprobs* logprobs);

  // Appends the object and starts anew; the offset goes on.
  void append(std::string& out);

 private:
  void add_entry(const std::string& name, std::size_t characters, const batch::TokenLogprob* chosen,
                 const std::vector<batch::TokenLogprob>& top, const TokenNames& names);

  std::size_t offset_ = 0;
  std::string offsets_, tokens_, chosen_, top_;  // array insides
};

// One element of the `content` array of /v1/chat/completions.
void append_chat_logprob(std::string& out, const TokenNames& names, const batch::Sample& sample);

// prompt_logprobs: [null, {"id": {"logprob", "rank", "decoded_token"}}, ...].
void append_prompt_logprobs(std::string& out, const TokenNames& names,
                            const std::vector<batch::PromptLogprobs>& logprobs);

}  // namespace tidegate::serve
