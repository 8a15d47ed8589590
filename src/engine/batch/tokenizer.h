// The seam to text: what a tokenizer must do for the stepper and the HTTP surface.
//
// Two implementations: byte-pair encoding from tokenizer.json (engine/tokenizer) and the simulator's
// arithmetic one (engine/latency), which has no files and turns any text into tokens and back exactly.
//
// Thread: const methods from any thread; a Decoder belongs to one thread.

#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/batch/sampling.h"

namespace tidegate::batch {

struct ChatMessage {
  std::string role;
  std::string content;  // text parts joined with newlines; empty if null
};

// What a chat template sees. The JSON texts are valid JSON and at most as large as the request body.
struct ChatPrompt {
  std::vector<ChatMessage> messages;
  std::string messages_json;  // the request's array, for templates that read more than role and content
  std::string tools_json;     // empty: no tools
  std::string kwargs_json;    // chat_template_kwargs, an object; empty: none
  std::string chat_template;  // replaces the model's own; empty: keep
  bool add_generation_prompt = true;
  bool continue_final_message = false;
};

// Text of one token stream, piece by piece.
class Decoder {
 public:
  virtual ~Decoder() = default;

  // Appends the text that `token` completes: nothing while a character is unfinished, never a broken one.
  virtual void push(Token token, std::string& text) = 0;

  // The stream ended: appends U+FFFD for an unfinished character, if there is one.
  virtual void finish(std::string& text) = 0;
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Number of ids, special and added tokens included.
  virtual std::size_t vocabulary() const = 0;

  // `add_special`: what the post-processor adds (a BOS, for Llama). Invalid UTF-8 becomes U+FFFD.
  virtual std::vector<Token> encode(std::string_view text, bool add_special) const = 0;

  // A decoder for text that follows `prompt`. `skip_special` hides special tokens.
  virtual std::unique_ptr<Decoder> decoder(std::span<const Token> prompt, bool skip_special) const = 0;

  // Text of a token alone, as logprobs and return_token_strs show it; may hold incomplete UTF-8 as U+FFFD.
  virtual std::string piece(Token token) const = 0;

  // The token's own bytes, for chat logprobs' `bytes`.
  virtual std::string bytes(Token token) const = 0;

  virtual bool special(Token token) const = 0;

  // Tokens that end generation: from generation_config and tokenizer configuration. May be empty.
  virtual std::span<const Token> eos() const = 0;

  // The prompt text of a conversation, special tokens spelled out; encode it without adding special tokens.
  // Errors: kInvalid if there is no template, or it raises or does not end.
  virtual Result<std::string> render_chat(const ChatPrompt& prompt) const = 0;
};

}  // namespace tidegate::batch
