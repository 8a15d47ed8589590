// Byte-pair encoding: from a word to token ids by merging the pair of lowest rank, leftmost first, until none
// is left.
//
// A word starts as one symbol per byte (byte-level vocabularies) or per character with bytes as the fallback
// (SentencePiece-like vocabularies). Cost is O(n log n) in the word's length, so a word may be a whole
// prompt.
//
// Thread: immutable once made; any thread may encode.
// Source: huggingface/tokenizers models/bpe/{model,word}.rs.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "engine/batch/sampling.h"

namespace tidegate::tokenizer {

using batch::Token;

// The merges, keyed by the ids of the two parts. Open addressing: a lookup is one or two cache lines.
class MergeTable {
 public:
  struct Merge {
    std::uint32_t rank = 0;
    Token whole = 0;
  };

  // Room for `merges` entries.
  explicit MergeTable(std::size_t merges = 0);

  void put(Token left, Token right, Merge merge);
  const Merge* find(Token left, Token right) const;

 private:
  struct Slot {
    std::uint64_t key = kEmpty;
    Merge merge;
  };
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};

  std::size_t slot_of(std::uint64_t key) const;

  std::vector<Slot> slots_;
  std::size_t mask_ = 0;
};

struct BpeOptions {
  bool byte_level = false;     // tokens are bytes; otherwise they are text
  bool byte_fallback = false;  // unknown characters become <0xHH> tokens
  bool ignore_merges = false;  // a word that is itself a token is not merged up to
  bool fuse_unk = false;       // several unknown characters in a row are one unknown token
  std::optional<Token> unk;    // without it unknown characters vanish, as in the reference library
};

class Bpe {
 public:
  // `tokens[id]` are the bytes of each id; an empty string is an id that text cannot reach.
  // Merges are pairs of byte strings in order of rank.
  // Errors: kInvalid if a merge names a part or a result that is no token.
  static Result<Bpe> make(const std::vector<std::string>& tokens,
                          const std::vector<std::pair<std::string, std::string>>& merges, BpeOptions options);

  // Appends the ids of one word. Requires: valid UTF-8 unless byte_level.
  void encode(std::string_view word, std::vector<Token>& out) const;

  std::optional<Token> id(std::string_view bytes) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };

  Bpe() = default;
  void split(std::string_view word, std::vector<Token>& symbols) const;
  void merge_short(std::vector<Token>& symbols) const;
  void merge_long(std::vector<Token>& symbols) const;

  BpeOptions options_;
  std::unordered_map<std::string, Token, Hash, std::equal_to<>> ids_;
  std::array<Token, 256> byte_ids_{};  // -1: the byte is no token
  MergeTable merges_;
};

}  // namespace tidegate::tokenizer
