// The tokens of a tokenizer as bytes, in the order in which prefixes are shared: a trie laid flat.
//
// Thread: immutable once made; any.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::guide {

using Token = std::int32_t;

class Vocabulary {
 public:
  struct Entry {
    Token token;
    std::uint32_t begin, size;  // of its bytes
    std::uint32_t shared;       // leading bytes that it has in common with the entry before it
  };

  // Of tokens 0 to size - 1. `bytes_of` is empty for those that are never text: special ones, and whatever
  // ends the output.
  Vocabulary(std::size_t size, const std::function<std::string(Token)>& bytes_of,
             std::span<const Token> ends);

  std::size_t size() const { return size_; }
  std::span<const Entry> entries() const { return entries_; }
  std::string_view bytes(const Entry& entry) const {
    return std::string_view(bytes_).substr(entry.begin, entry.size);
  }
  // Empty for tokens that are not text.
  std::string_view bytes(Token token) const;
  std::span<const Token> ends() const { return ends_; }
  std::size_t longest() const { return longest_; }

 private:
  std::size_t size_;
  std::vector<Token> ends_;
  std::string bytes_;
  std::vector<Entry> entries_;           // sorted by bytes
  std::vector<std::uint32_t> by_token_;  // index of the entry + 1; 0: none
  std::size_t longest_ = 0;
};

}  // namespace tidegate::guide
