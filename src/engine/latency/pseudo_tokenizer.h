// A tokenizer without files: ids are computed from the text and the text from ids.
//
// Real prompts get about as many tokens as a trained tokenizer would give them (common words are one, others
// about one per three letters, numbers one per three digits, anything else one per byte), equal text always
// gets equal ids, and decoding gives back exactly the bytes that were encoded. So token counts, prefix hashes
// and echoes are right, without a download and without memory.
//
// Ids, in order: specials; 256 bytes; and then, each first without and then with a leading space: common
// words; 1 to 3 lower-case letters; a capital and up to 2 lower-case letters; 2 or 3 capitals; 1 to 3 digits.
// Last, runs of 2 to 16 spaces.
//
// Thread: immutable; any.

#pragma once

#include "engine/batch/tokenizer.h"

namespace tidegate::latency {

class PseudoTokenizer final : public batch::Tokenizer {
 public:
  static constexpr batch::Token kUnknown = 0;
  static constexpr batch::Token kBos = 1;
  static constexpr batch::Token kEos = 2;
  static constexpr batch::Token kMessageStart = 3;
  static constexpr batch::Token kMessageEnd = 4;

  std::size_t vocabulary() const override;
  std::vector<batch::Token> encode(std::string_view text, bool add_special) const override;
  std::unique_ptr<batch::Decoder> decoder(std::span<const batch::Token> prompt,
                                          bool skip_special) const override;
  std::string piece(batch::Token token) const override;
  std::string bytes(batch::Token token) const override;
  bool special(batch::Token token) const override { return token >= 0 && token <= kMessageEnd; }
  std::span<const batch::Token> eos() const override;

  // ChatML, whatever chat_template the request names.
  Result<std::string> render_chat(const batch::ChatPrompt& prompt) const override;
};

}  // namespace tidegate::latency
