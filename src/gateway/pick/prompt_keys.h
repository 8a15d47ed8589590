// A prompt cut into blocks, each named by a hash of everything up to its end: two prompts share the key of a
// block exactly if they share all bytes before it (and the seed). That is what a prefix index is asked by.
//
// Bytes are hashed as they stand in the request, JSON escapes and all: two prompts with equal text nearly
// always have equal bytes, and nothing need be decoded. Blocks grow with depth (256 bytes, 512 from 4 KiB on,
// 2 KiB from 16 KiB on, 8 KiB from 64 KiB on), so that the longest prompt has 120 of them and, but for the
// first few, a block is never longer than an eighth of what comes before it. The rest behind the last whole
// block has no key: it is where prompts of one conversation part.
//
// Thread: values.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tidegate::pick {

// Not for secrets; fast (some 20 GB/s) and well mixed.
std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed);

class PromptKeys {
 public:
  static constexpr std::size_t kBlocksMax = 256;
  // What lies deeper is not looked at: upstream's 131,072 tokens of four bytes.
  static constexpr std::size_t kPromptBytesMax = 512 * 1024;

  // Begins anew. The seed stands for whatever must be equal besides the text: pool, model or adapter, salt.
  void reset(std::uint64_t seed);
  // reset(), then all blocks of `prompt`.
  void hash(std::uint64_t seed, std::string_view prompt);
  // One more block whose content is named by `content` alone: for traces that come as hashes. Beyond
  // kBlocksMax it is left out.
  void push(std::uint64_t content, std::uint32_t bytes);

  bool empty() const { return count_ == 0; }
  std::size_t size() const { return count_; }
  std::uint64_t key(std::size_t block) const { return key_[block]; }
  // Bytes of the prompt up to the end of the first `blocks` blocks.
  std::uint32_t bytes(std::size_t blocks) const { return blocks == 0 ? 0 : end_[blocks - 1]; }
  // Of the whole prompt, the rest included.
  std::uint32_t prompt_bytes() const { return prompt_bytes_; }

 private:
  std::uint64_t seed_ = 0;
  std::size_t count_ = 0;
  std::uint32_t prompt_bytes_ = 0;
  std::array<std::uint64_t, kBlocksMax> key_;
  std::array<std::uint32_t, kBlocksMax> end_;
};

// How long the block is that begins at this byte.
constexpr std::size_t block_bytes_at(std::size_t begin) {
  constexpr std::size_t kKib = 1024;
  return begin < 4 * kKib ? 256 : begin < 16 * kKib ? 512 : begin < 64 * kKib ? 2 * kKib : 8 * kKib;
}

}  // namespace tidegate::pick
