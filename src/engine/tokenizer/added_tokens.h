// Tokens that are found in raw text before anything else looks at it: <s>, <|im_start|> and the like.
//
// Thread: immutable once made.
// Source: huggingface/tokenizers tokenizer/added_vocabulary.rs.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/batch/sampling.h"

namespace tidegate::tokenizer {

struct AddedToken {
  batch::Token id = 0;
  std::string content;
  bool special = false;      // hidden from text on request; never produced by normalised text
  bool normalized = false;   // looked for in normalised text
  bool lstrip = false;       // takes the blanks before it
  bool rstrip = false;       // takes the blanks after it
  bool single_word = false;  // only between characters that are no part of a word
};

// Finds added tokens in text: leftmost, and of those that start at one place the longest.
class AddedTokenFinder {
 public:
  // Tokens with empty content are left out: they cannot be found.
  explicit AddedTokenFinder(const std::vector<AddedToken>& tokens);

  struct Found {
    std::size_t begin = 0, end = 0;  // of the text that the token takes, stripped blanks included
    batch::Token id = 0;
  };

  // The next token at or after `from`. Blanks before `from` are never taken.
  std::optional<Found> next(std::string_view text, std::size_t from) const;

  bool empty() const { return nodes_.size() <= 1; }

 private:
  struct Node {
    std::map<char, std::uint32_t> children;
    std::int32_t token = -1;  // index into tokens_
  };

  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_;  // a trie; 0 is the root
};

}  // namespace tidegate::tokenizer
