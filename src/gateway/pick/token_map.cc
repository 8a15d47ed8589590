#include "gateway/pick/token_map.h"

#include <bit>
#include <mutex>

#include "gateway/pick/token_chain.h"

namespace tidegate::pick {
namespace {

constexpr std::size_t kStripes = 64;
constexpr std::uint32_t kClockMax = 0x7FFF'FFFF;

}  // namespace

struct alignas(64) TokenMap::Stripe {
  SpinLock lock;
  std::vector<Entry> entries;  // none until something is learnt
};

void TokenPoints::push(std::uint64_t key, std::uint32_t bytes, std::uint16_t block, bool confirmed) {
  // Blocks too short to end behind another whole stride say nothing of their own.
  if (count_ > 0 && key_[count_ - 1] == key) {
    bytes_[count_ - 1] = bytes;
    block_[count_ - 1] = block;
  } else {
    key_[count_] = key;
    bytes_[count_] = bytes;
    block_[count_++] = block;
  }
  if (confirmed) confirmed_ = count_;
}

TokenMap::TokenMap(std::size_t entries_max)
    : sets_(std::bit_floor(std::max<std::size_t>(entries_max / kStripes / kWays, 1))),
      stripes_(std::make_unique<Stripe[]>(kStripes)) {}

TokenMap::~TokenMap() = default;

TokenMap::Stripe& TokenMap::stripe_of(std::uint64_t key) const { return stripes_[key >> 58]; }

TokenMap::Entry* TokenMap::set_of(Stripe& stripe, std::uint64_t key) const {
  return stripe.entries.empty() ? nullptr : &stripe.entries[(key & (sets_ - 1)) * kWays];
}

TokenMap::Entry* TokenMap::find_entry(Stripe& stripe, std::uint64_t key) const {
  Entry* const set = set_of(stripe, key);
  for (std::size_t way = 0; set != nullptr && way < kWays; ++way) {
    if (set[way].bytes_key == key) return &set[way];
  }
  return nullptr;
}

void TokenMap::find(const PromptKeys& keys, TokenPoints& points) {
  points.clear();
  if (used_.load(std::memory_order_relaxed) == 0) return;
  const std::uint32_t now = clock_.fetch_add(1, std::memory_order_relaxed) & kClockMax;
  for (std::size_t block = 0; block < keys.size(); ++block) {
    Stripe& stripe = stripe_of(keys.key(block));
    const std::lock_guard lock(stripe.lock);
    Entry* const entry = find_entry(stripe, keys.key(block));
    if (entry == nullptr) return;
    entry->used = now;
    if (entry->token_key == 0) continue;
    points.push(entry->token_key, keys.bytes(block + 1), static_cast<std::uint16_t>(block),
                entry->confirmed != 0);
  }
}

void TokenMap::confirm(const PromptKeys& keys, const TokenPoints& points, std::size_t before) {
  for (std::size_t point = before; point < points.size() && points.is_confirmed(point); ++point) {
    const std::uint64_t key = keys.key(points.block(point));
    Stripe& stripe = stripe_of(key);
    const std::lock_guard lock(stripe.lock);
    Entry* const entry = find_entry(stripe, key);
    if (entry != nullptr && entry->token_key == points.key(point)) entry->confirmed = 1;
  }
}

void TokenMap::learn(const PromptKeys& keys, std::span<const std::uint32_t> tokens, std::string_view adapter,
                     std::uint32_t stride) {
  if (stride == 0 || keys.prompt_bytes() == 0) return;
  std::vector<std::uint64_t> chain = {0};  // keys behind 0, 1, 2... strides
  TokenChain key = TokenChain::from_beginning(adapter);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    key.add(tokens[i]);
    if ((i + 1) % stride == 0) chain.push_back(key.key());
  }
  std::uint32_t before = 0;
  for (std::size_t block = 0; block < keys.size(); ++block) {
    const std::uint64_t place = tokens.size() * std::uint64_t{keys.bytes(block + 1)} / keys.prompt_bytes();
    before =
        put(keys.key(block), chain, {static_cast<std::uint32_t>(place / stride * stride), stride, before});
  }
}

// Where it is now. Where another prompt has shown that they part before, half way up to the block before.
std::uint32_t TokenMap::put(std::uint64_t key, std::span<const std::uint64_t> chain, Place place) {
  Stripe& stripe = stripe_of(key);
  const std::lock_guard lock(stripe.lock);
  if (stripe.entries.empty()) stripe.entries.resize(sets_ * kWays);
  const std::uint32_t now = clock_.load(std::memory_order_relaxed) & kClockMax;
  std::uint32_t tokens = place.tokens;
  Entry* entry = find_entry(stripe, key);
  if (entry == nullptr) {
    Entry* const set = set_of(stripe, key);
    entry =
        std::min_element(set, set + kWays, [](const Entry& a, const Entry& b) { return a.used < b.used; });
    if (entry->bytes_key == 0) used_.fetch_add(1, std::memory_order_relaxed);
  } else if (entry->tokens > 0) {
    entry->used = now;
    const std::uint32_t strides = entry->tokens / place.stride;
    const bool agrees =
        entry->tokens % place.stride == 0 && strides < chain.size() && chain[strides] == entry->token_key;
    if (agrees) return entry->tokens;
    const std::uint32_t half = (std::min(place.before, entry->tokens) + entry->tokens - 1) / 2;
    tokens = std::min(tokens, half / place.stride * place.stride);
  }
  *entry = {key, chain[tokens / place.stride], tokens, now, 0};
  return tokens;
}

}  // namespace tidegate::pick
