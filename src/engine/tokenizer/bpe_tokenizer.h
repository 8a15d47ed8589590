// A model's tokenizer: text to tokens and back, as its tokenizer.json says.
//
// Made from a Hugging Face folder by load_tokenizer(), or from a parsed tokenizer.json in tests.
//
// Thread: immutable once made; any thread. A Decoder belongs to one thread and must not outlive its
// tokenizer.

#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/batch/tokenizer.h"
#include "engine/chat/template.h"
#include "engine/tokenizer/tokenizer_json.h"

namespace tidegate::tokenizer {

// What the other files of the folder say about text.
struct TextSettings {
  std::string bos_token, eos_token;  // as text; empty if there is none
  std::vector<Token> eos;            // ends generation
  std::string chat_template;         // Jinja source; empty if there is none
};

class BpeTokenizer final : public batch::Tokenizer {
 public:
  // `clock` tells chat templates the date; it outlives the tokenizer.
  // Errors: kInvalid if merges and vocabulary do not fit together or the chat template does not parse.
  static Result<std::unique_ptr<BpeTokenizer>> make(TokenizerSpec spec, TextSettings settings,
                                                    const Clock& clock);

  std::size_t vocabulary() const override { return bytes_.size(); }
  std::vector<Token> encode(std::string_view text, bool add_special) const override;
  std::unique_ptr<batch::Decoder> decoder(std::span<const Token> prompt, bool skip_special) const override;
  std::string piece(Token token) const override;
  std::string bytes(Token token) const override;
  bool special(Token token) const override;
  std::span<const Token> eos() const override { return settings_.eos; }
  Result<std::string> render_chat(const batch::ChatPrompt& prompt) const override;

  // The id of a token by its text as the file writes it, e.g. "</s>".
  std::optional<Token> id(std::string_view token) const;

 private:
  BpeTokenizer(TokenizerSpec spec, TextSettings settings, const Clock& clock, Bpe bpe);

  // One stretch between added tokens; `at_start`: nothing stands before it.
  void encode_plain(std::string_view text, bool at_start, std::vector<Token>& out) const;
  void encode_words(std::string text, bool at_start, std::vector<Token>& out) const;
  std::string normalized(std::string_view text) const;

  TokenizerSpec spec_;
  TextSettings settings_;
  const Clock& clock_;
  Bpe bpe_;
  AddedTokenFinder raw_added_, normalized_added_;
  std::vector<std::string> bytes_;  // by id: what the token is in text
  std::vector<bool> special_;
  std::optional<chat::Template> template_;
};

// Reads tokenizer.json, tokenizer_config.json, chat_template.jinja, generation_config.json and config.json of
// a folder. A `chat_template` replaces the folder's. Errors: kNotFound if there is no tokenizer.json, else
// what parsing says, with the file as the field.
Result<std::unique_ptr<BpeTokenizer>> load_tokenizer(const std::string& folder, const Clock& clock,
                                                     std::string chat_template = {});

}  // namespace tidegate::tokenizer
