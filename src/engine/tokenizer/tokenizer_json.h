// tokenizer.json of Hugging Face's tokenizers library, read into plain data and checked.
//
// Only byte-pair models are read, with the normalizers, pre-tokenizers, post-processors and decoders that the
// Llama, Qwen and Mistral families use. Anything else is an error that names the part: a tokenizer that is
// nearly right makes a model that is quietly wrong.
//
// Thread: pure functions.
// Source: huggingface/tokenizers, the Serialize implementations under tokenizers/src.

#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/tokenizer/added_tokens.h"
#include "engine/tokenizer/bpe.h"
#include "engine/tokenizer/pretokenize.h"

namespace tidegate::tokenizer {

inline constexpr std::size_t kTokenizerBytesMax = std::size_t{128} << 20;
inline constexpr std::size_t kVocabularyMax = std::size_t{4}
                                              << 20;  // ids; far above any published vocabulary

// A change to text before it is cut, in order.
struct NormalStep {
  enum class Kind { kNfc, kPrepend, kReplace } kind = Kind::kNfc;
  std::string from;  // kReplace
  std::string to;    // kReplace, kPrepend
};

// ▁ for blanks, as SentencePiece does it.
struct Metaspace {
  enum class Prepend { kAlways, kFirst, kNever } prepend = Prepend::kAlways;
  std::string replacement;
  bool split = true;
};

// How normalised text becomes words.
struct WordRules {
  std::optional<Metaspace> metaspace;
  std::vector<CutRule> cuts;  // each cuts the pieces of the one before
  bool byte_level = false;
  bool prefix_space = false;  // byte level only: every piece starts with a blank
};

// How the strings of tokens become text again.
struct TextRules {
  bool byte_level = false;
  bool byte_fallback = false;                                // <0xHH> are bytes
  std::vector<std::pair<std::string, std::string>> replace;  // in every token
  bool strip_blank = false;                                  // one blank at the start of a text
};

struct TokenizerSpec {
  std::vector<std::string> vocabulary;  // by id, as written in the file; empty where an id is not used
  std::vector<std::pair<std::string, std::string>> merges;
  BpeOptions bpe;  // byte_level is set from `words`
  std::vector<AddedToken> added;
  std::vector<NormalStep> normal;
  WordRules words;
  TextRules text;
  std::vector<Token> before, after;  // what the post-processor puts around a text
};

// Errors: kInvalid (no JSON, wrong types, ids out of range), kInvalid with "unsupported" for a part that is
// not known.
Result<TokenizerSpec> parse_tokenizer_json(std::string_view json);

// The bytes of a byte-level vocabulary string; nothing if it has characters outside that alphabet.
std::optional<std::string> byte_level_bytes(std::string_view token);

}  // namespace tidegate::tokenizer
