#include "gateway/pick/prompt_keys.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace tidegate::pick {
namespace {

// Odd digits of pi; nothing about them matters but that they are not zero.
constexpr std::uint64_t kSalt[] = {0x243f6a8885a308d3, 0x13198a2e03707345, 0xa4093822299f31d1,
                                   0x082efa98ec4e6c89, 0x452821e638d01377, 0xbe5466cf34e90c6d,
                                   0xc0ac29b7c97c50dd, 0x3f84d5b5b5470917};

// The 128-bit product folded in half: one instruction and a half mix all bits of both.
std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t word(const char* at) {
  std::uint64_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// Four lanes that do not wait for one another. Requires: size is a multiple of 64.
std::uint64_t hash_stripes(const char* at, std::size_t size, std::uint64_t seed) {
  std::uint64_t a = seed ^ kSalt[0];
  std::uint64_t b = seed ^ kSalt[1];
  std::uint64_t c = seed ^ kSalt[2];
  std::uint64_t d = seed ^ kSalt[3];
  for (const char* const end = at + size; at != end; at += 64) {
    a = fold(word(at) ^ kSalt[4], word(at + 8) ^ a);
    b = fold(word(at + 16) ^ kSalt[5], word(at + 24) ^ b);
    c = fold(word(at + 32) ^ kSalt[6], word(at + 40) ^ c);
    d = fold(word(at + 48) ^ kSalt[7], word(at + 56) ^ d);
  }
  // Turned, so that what all lanes have in common does not cancel.
  return fold(a ^ std::rotl(c, 23), b ^ std::rotl(d, 41) ^ kSalt[0]) ^ (a + d);
}

}  // namespace

std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed) {
  const std::size_t whole = bytes.size() & ~std::size_t{63};
  const std::uint64_t head = hash_stripes(bytes.data(), whole, seed ^ bytes.size());
  char tail[64] = {};
  if (bytes.size() > whole) std::memcpy(tail, bytes.data() + whole, bytes.size() - whole);
  return fold(hash_stripes(tail, sizeof tail, head) ^ kSalt[2], head ^ kSalt[3]);
}

void PromptKeys::reset(std::uint64_t seed) {
  seed_ = seed;
  count_ = 0;
  prompt_bytes_ = 0;
}

void PromptKeys::push(std::uint64_t content, std::uint32_t bytes) {
  prompt_bytes_ += bytes;
  if (count_ == kBlocksMax) return;
  const std::uint64_t before = count_ == 0 ? seed_ : key_[count_ - 1];
  const std::uint64_t key = fold(content ^ kSalt[4], before ^ kSalt[5]) ^ content;
  key_[count_] = key == 0 ? 1 : key;  // 0 is an empty place in the index
  end_[count_++] = prompt_bytes_;
}

void PromptKeys::hash(std::uint64_t seed, std::string_view prompt) {
  reset(seed);
  const std::size_t size = std::min(prompt.size(), kPromptBytesMax);
  // A block's own hash does not wait for the block before it; only the chain does.
  for (std::size_t begin = 0; begin + block_bytes_at(begin) <= size;) {
    const std::size_t length = block_bytes_at(begin);
    push(hash_stripes(prompt.data() + begin, length, 0), static_cast<std::uint32_t>(length));
    begin += length;
  }
  prompt_bytes_ = static_cast<std::uint32_t>(std::min<std::size_t>(prompt.size(), 0xFFFFFFFF));
}

}  // namespace tidegate::pick
