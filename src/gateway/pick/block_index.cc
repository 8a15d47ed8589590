#include "gateway/pick/block_index.h"

#include <algorithm>
#include <chrono>
#include <mutex>

#include "gateway/pick/prefix_shard.h"

namespace tidegate::pick {
namespace {

constexpr std::size_t kShards = 64;

// A holder's epoch. Stored: this bit and the generation in which the engine told of the block. Expected: the
// low bits of the generation, and when the prompt was sent there, in two seconds, of which some half an
// hour's are told apart.
constexpr std::uint16_t kStored = 0x8000;
constexpr std::uint16_t kGenerationBits = 0x7C00;
constexpr std::uint16_t kTimeBits = 0x03FF;
constexpr std::uint16_t kExpectedFor = 5;

std::uint16_t time_of(TimePoint now) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
  return static_cast<std::uint16_t>(whole / 2 & kTimeBits);
}

}  // namespace

struct BlockIndex::Shard : PrefixShard {};

BlockIndex::BlockIndex(std::size_t blocks_max)
    : blocks_max_(std::max<std::size_t>(blocks_max, kShards)),
      shards_(std::make_unique<Shard[]>(kShards)),
      generation_(std::make_unique<std::atomic<std::uint16_t>[]>(kEndpointsMax)),
      trust_(std::make_unique<std::atomic<Trust>[]>(kEndpointsMax)),
      block_tokens_(std::make_unique<std::atomic<std::uint32_t>[]>(kEndpointsMax)) {
  for (std::size_t i = 0; i < kShards; ++i) shards_[i].set_blocks_max(blocks_max_ / kShards);
}

BlockIndex::~BlockIndex() = default;

std::uint16_t BlockIndex::stored_epoch(PrefixId id) const {
  return kStored | generation_[id].load(std::memory_order_relaxed);
}

std::uint16_t BlockIndex::expected_epoch(PrefixId id, std::uint16_t time) const {
  const auto generation = static_cast<std::uint16_t>(generation_[id].load(std::memory_order_relaxed) << 10);
  return (generation & kGenerationBits) | time;
}

bool BlockIndex::counts(const Holder& holder, std::uint16_t time) const {
  if (holder.id >= kEndpointsMax) return false;
  if ((holder.epoch & kStored) != 0) return holder.epoch == stored_epoch(holder.id);
  if ((holder.epoch & kGenerationBits) != (expected_epoch(holder.id, 0) & kGenerationBits)) return false;
  return ((time - holder.epoch) & kTimeBits) <= kExpectedFor;
}

bool BlockIndex::store(PrefixId id, std::uint64_t key) {
  if (id >= kEndpointsMax || held_.load(std::memory_order_relaxed) >= blocks_max_) return false;
  const std::uint16_t time = time_.load(std::memory_order_relaxed);
  const auto valid = [this, time](const Holder& holder) { return counts(holder, time); };
  std::uint16_t before = 0;
  Shard& shard = shards_[key >> 58];
  const std::lock_guard lock(shard.lock());
  if (shard.stamp(key, id, stored_epoch(id), valid, before) == PrefixShard::Stamped::kFull) return false;
  held_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void BlockIndex::remove(PrefixId id, std::uint64_t key) {
  if (id >= kEndpointsMax) return;
  const std::uint16_t time = time_.load(std::memory_order_relaxed);
  Shard& shard = shards_[key >> 58];
  const std::lock_guard lock(shard.lock());
  shard.drop(key, id, [this, time](const Holder& holder) { return counts(holder, time); });
  held_.fetch_sub(1, std::memory_order_relaxed);
}

void BlockIndex::clear(PrefixId id, std::size_t blocks) {
  if (id >= kEndpointsMax) return;
  const std::uint16_t next = generation_[id].load(std::memory_order_relaxed) + 1;
  generation_[id].store(next & ~kStored, std::memory_order_relaxed);
  held_.fetch_sub(blocks, std::memory_order_relaxed);
}

void BlockIndex::set_trust(PrefixId id, Trust trust) {
  if (id >= kEndpointsMax) return;
  trust_[id].store(trust, std::memory_order_relaxed);
  if (ids_.load(std::memory_order_relaxed) <= id) ids_.store(id + std::size_t{1}, std::memory_order_relaxed);
}

void BlockIndex::set_block_tokens(PrefixId id, std::uint32_t tokens) {
  if (id < kEndpointsMax) block_tokens_[id].store(tokens, std::memory_order_relaxed);
}

void BlockIndex::match(TokenPoints& points, TimePoint now, PrefixMatch& match) const {
  const std::uint16_t time = time_of(now);
  std::size_t left = ids_.load(std::memory_order_relaxed);  // that hold all points so far
  match.begin(left);
  for (std::size_t point = 0; point < points.size() && left > 0; ++point) {
    std::size_t held = 0;
    bool told = false;
    Shard& shard = shards_[points.key(point) >> 58];
    const std::lock_guard lock(shard.lock());
    shard.visit(points.key(point), [&](const Holder& holder) {
      if (!match.reaches(holder.id, point) || !counts(holder, time)) return true;
      told = told || (holder.epoch & kStored) != 0;
      match.extend(holder.id, point);
      return ++held < left;
    });
    if (told) points.confirm(point);
    left = held;
  }
}

void BlockIndex::expect(const TokenPoints& points, const PrefixMatch& match, PrefixId id, TimePoint now) {
  if (id >= kEndpointsMax) return;
  const std::uint16_t time = time_of(now);
  time_.store(time, std::memory_order_relaxed);
  const auto valid = [this, time](const Holder& holder) { return counts(holder, time); };
  const std::uint16_t epoch = expected_epoch(id, time);
  for (std::size_t point = match.blocks(id); point < points.size(); ++point) {
    std::uint16_t before = 0;
    Shard& shard = shards_[points.key(point) >> 58];
    const std::lock_guard lock(shard.lock());
    const Holder* const holder = shard.holder(points.key(point), id);
    if (holder != nullptr && (holder->epoch & kStored) != 0 && counts(*holder, time)) continue;
    if (shard.stamp(points.key(point), id, epoch, valid, before) == PrefixShard::Stamped::kFull) return;
  }
}

std::size_t BlockIndex::memory_bytes() const {
  std::size_t total = 0;
  for (std::size_t i = 0; i < kShards; ++i) {
    const std::lock_guard lock(shards_[i].lock());
    total += shards_[i].memory_bytes();
  }
  return total;
}

}  // namespace tidegate::pick
