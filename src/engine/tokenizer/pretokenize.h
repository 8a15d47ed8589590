// Cutting text into the words that byte-pair encoding works on.
//
// tokenizer.json names the rule as a regular expression. The expressions in use are few, and a general engine
// would run hostile text through back-tracking, so each known one is written out by hand here over Unicode
// categories, in one pass and in linear time. An unknown expression is refused when the tokenizer is loaded.
//
// Thread: pure functions.
// Source: the published tokenizer.json of each family; huggingface/tokenizers
// pre_tokenizers/{split,byte_level}.rs.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace tidegate::tokenizer {

// How text is cut. All rules but kGpt2 share Llama 3's form: contractions, an optional other character and
// letters, digits, punctuation with the line ends after it, line ends, blanks.
enum class CutRule : std::uint8_t {
  kGpt2,    // ByteLevel's own rule: 's 't ..., " ?letters", " ?digits", " ?others", blanks
  kLlama3,  // one to three digits a word
  kQwen2,   // one digit a word
  kTekken,  // one digit a word, and words also end where lower case turns into upper case (Mistral Nemo)
};

// The rule behind a regular expression, or nothing if it is not one of the known ones.
std::optional<CutRule> cut_rule(std::string_view expression);

// Calls `word(piece)` for each piece of `text` in order; the pieces together are `text`. Requires: valid
// UTF-8.
template <typename Word>
void cut(CutRule rule, std::string_view text, Word&& word);

// Bytes of the first word. Requires: text is valid UTF-8 and not empty.
std::size_t first_word(CutRule rule, std::string_view text);

template <typename Word>
void cut(CutRule rule, std::string_view text, Word&& word) {
  while (!text.empty()) {
    const std::size_t size = first_word(rule, text);
    word(text.substr(0, size));
    text.remove_prefix(size);
  }
}

}  // namespace tidegate::tokenizer
