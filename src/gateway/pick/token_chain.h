// A prompt's tokens named as PromptKeys names its bytes: by a hash of all tokens up to a place and of the
// adapter. Two prompts share the key of a place exactly if they share all tokens before it, however an engine
// cuts them into blocks.
//
//   TokenChain chain = TokenChain::from_beginning("sql-lora");   // "" for the base model
//   for (token : tokens) chain.add(token);   chain.key()
//
// Thread: values.

#pragma once

#include <cstdint>
#include <string_view>

#include "base/random.h"
#include "gateway/pick/prompt_keys.h"

namespace tidegate::pick {

class TokenChain {
 public:
  static TokenChain from_beginning(std::string_view adapter) {
    return TokenChain(hash_bytes(adapter, kSeed));
  }
  // Goes on behind the place of that key.
  explicit TokenChain(std::uint64_t key) : key_(key) {}

  void add(std::uint32_t token) {
    key_ = mix64(key_ ^ (token + std::uint64_t{1}) * 0x9e3779b97f4a7c15);
    if (key_ == 0) key_ = 1;  // 0 is an empty place in the index
  }
  std::uint64_t key() const { return key_; }

 private:
  static constexpr std::uint64_t kSeed = 0x746f6b656e73;
  std::uint64_t key_;
};

}  // namespace tidegate::pick
