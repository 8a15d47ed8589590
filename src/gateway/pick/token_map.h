// From the bytes of prompts to their tokens. The gateway has no tokenizer: it asks an engine for the tokens
// of prompts that come again and remembers where which token stands, so that later prompts with the same
// beginning can be looked up by token among what engines say they hold (BlockIndex).
//
//   map.learn(keys, tokens, adapter, 16);     // an engine said so
//   TokenPoints points;  map.find(keys, points);   // what is known of a prompt, from its beginning on
//
// An engine does not say which byte a token ends at. Tokens are taken to be spread evenly over the bytes, so
// a place is right to within a few blocks; where two prompts with a common beginning show that it was put too
// deep, it moves up. What an engine answers may also not be what it computes (a chat template of its own,
// pictures): a place counts only once some engine has been seen to hold it, until then it is unconfirmed.
//
// Memory is bounded: `entries_max` places of 24 bytes, taken when they are first needed; in each set of four
// the one that was asked for longest ago makes room.
//
// Thread: any; TokenPoints belong to one.

#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "gateway/pick/prefix_shard.h"
#include "gateway/pick/prompt_keys.h"

namespace tidegate::pick {

// Places in a prompt whose tokens are known, in order. Reused from request to request.
class TokenPoints {
 public:
  void clear() { count_ = confirmed_ = 0; }
  void push(std::uint64_t key, std::uint32_t bytes, std::uint16_t block, bool confirmed);

  std::size_t size() const { return count_; }
  std::uint64_t key(std::size_t point) const { return key_[point]; }
  // The prompt's block that ends there.
  std::uint16_t block(std::size_t point) const { return block_[point]; }
  // Bytes of the prompt up to the last of the first `points`.
  std::uint32_t bytes(std::size_t points) const { return points == 0 ? 0 : bytes_[points - 1]; }

  std::size_t confirmed() const { return confirmed_; }
  // Up to where it is sure that these are the prompt's tokens.
  std::uint32_t confirmed_bytes() const { return bytes(confirmed_); }
  bool is_confirmed(std::size_t point) const { return point < confirmed_; }
  // An engine holds that one, and so these were its tokens.
  void confirm(std::size_t point) { confirmed_ = std::max(confirmed_, point + 1); }

 private:
  std::size_t count_ = 0;
  std::size_t confirmed_ = 0;
  std::array<std::uint64_t, PromptKeys::kBlocksMax> key_;
  std::array<std::uint32_t, PromptKeys::kBlocksMax> bytes_;
  std::array<std::uint16_t, PromptKeys::kBlocksMax> block_;
};

class TokenMap {
 public:
  explicit TokenMap(std::size_t entries_max = std::size_t{1} << 20);
  ~TokenMap();

  // Replaces `points` by what is known of the prompt without a gap from its beginning.
  void find(const PromptKeys& keys, TokenPoints& points);
  // Remembers that these points are confirmed; `before` of them were already.
  void confirm(const PromptKeys& keys, const TokenPoints& points, std::size_t before);

  // The whole prompt has these tokens, with that adapter ("": none). Places are put at multiples of `stride`
  // tokens, which should be the engine's block size.
  void learn(const PromptKeys& keys, std::span<const std::uint32_t> tokens, std::string_view adapter,
             std::uint32_t stride);

  // For metrics.
  std::size_t entries() const { return used_.load(std::memory_order_relaxed); }

 private:
  struct Entry {
    std::uint64_t bytes_key = 0;  // 0: nothing here
    std::uint64_t token_key = 0;  // 0: no whole stride of tokens yet
    std::uint32_t tokens = 0;
    std::uint32_t used : 31 = 0;  // when, in look-ups
    std::uint32_t confirmed : 1 = 0;
  };
  static constexpr std::size_t kWays = 4;
  struct Stripe;

  Stripe& stripe_of(std::uint64_t key) const;
  Entry* set_of(Stripe& stripe, std::uint64_t key) const;
  Entry* find_entry(Stripe& stripe, std::uint64_t key) const;
  struct Place {
    std::uint32_t tokens;  // as spread evenly
    std::uint32_t stride;
    std::uint32_t before;  // where the block before ends
  };
  std::uint32_t put(std::uint64_t key, std::span<const std::uint64_t> chain, Place place);

  const std::size_t sets_;  // per stripe; a power of two
  std::unique_ptr<Stripe[]> stripes_;
  std::atomic<std::uint32_t> clock_{1};
  std::atomic<std::size_t> used_{0};
};

}  // namespace tidegate::pick
