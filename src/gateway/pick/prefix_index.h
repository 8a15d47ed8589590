// Which endpoint's KV cache holds how much of a prompt, as far as can be known from where prompts were sent:
// the approximate prefix cache.
//
//   PrefixIndex index;                             // one for all workers
//   PrefixSlot slot = index.add();                 // one per endpoint
//   PrefixMatch match;  PromptKeys keys;           // one each per worker
//   keys.hash(seed, prompt);
//   index.match(keys, match);   match.bytes(keys, slot.id())     // how much of it the endpoint holds
//   index.insert(keys, slot.id());                 // the prompt was sent there
//
// A block that was sent to an endpoint is believed to be there until the endpoint was sent more other text
// than its cache holds: least recently used goes first, as in the engine. The order is kept in generations
// of a 64th of the cache; a generation falls out whole, the oldest first, when the text still held outgrows
// the capacity. A match counts only from the prompt's beginning without a gap.
//
// Memory is bounded: `blocks_max` over all endpoints, equally shared (some 30 bytes a block). A block knows
// at most 64 endpoints; where more hold it (a system prompt in a large pool), 64 of them are remembered.
//
// Blocks live in 64 shards, chosen by their keys, each with a lock that is held for one block at a time: some
// nanoseconds, even where all prompts begin alike.
//
// Thread: any, but for PrefixMatch, which belongs to one thread.

#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "gateway/pick/prompt_keys.h"

namespace tidegate::pick {

class PrefixIndex;
using PrefixId = std::uint16_t;
inline constexpr PrefixId kNoPrefixId = 0xFFFF;

// An endpoint's place in an index, for as long as this lives. A default one holds nothing, ever.
class PrefixSlot {
 public:
  PrefixSlot() = default;
  PrefixSlot(PrefixIndex& index, PrefixId id) : index_(&index), id_(id) {}
  PrefixSlot(PrefixSlot&& other) noexcept
      : index_(std::exchange(other.index_, nullptr)), id_(std::exchange(other.id_, kNoPrefixId)) {}
  PrefixSlot& operator=(PrefixSlot&& other) noexcept {
    std::swap(index_, other.index_);
    std::swap(id_, other.id_);
    return *this;
  }
  ~PrefixSlot();

  PrefixId id() const { return id_; }
  // What the engine's cache holds, in bytes of prompt.
  void set_capacity(std::uint64_t bytes);
  // The engine restarted or dropped its cache.
  void forget();

 private:
  PrefixIndex* index_ = nullptr;
  PrefixId id_ = kNoPrefixId;
};

// What match() found. Reused from request to request.
class PrefixMatch {
 public:
  bool any() const { return !found_.empty(); }
  // The most that anybody holds.
  std::size_t most() const {
    std::size_t most = 0;
    for (const PrefixId id : found_) most = std::max<std::size_t>(most, blocks_[id]);
    return most;
  }
  std::size_t blocks(PrefixId id) const { return id < blocks_.size() ? blocks_[id] : 0; }
  std::uint32_t bytes(const PromptKeys& keys, PrefixId id) const { return keys.bytes(blocks(id)); }

 private:
  friend class BlockIndex;
  friend class PrefixIndex;
  // For ids below `ids`.
  void begin(std::size_t ids);
  // Whether it holds all blocks before this one. False for ids that begin() was not told of.
  bool reaches(PrefixId id, std::size_t block) const { return id < blocks_.size() && blocks_[id] == block; }
  void extend(PrefixId id, std::size_t block) {
    if (block == 0) found_.push_back(id);
    blocks_[id] = static_cast<std::uint16_t>(block + 1);
  }

  std::vector<std::uint16_t> blocks_;  // by id
  std::vector<PrefixId> found_;        // those above 0
};

class PrefixIndex {
 public:
  static constexpr std::size_t kEndpointsMax = 16'384;
  static constexpr std::uint32_t kGenerations = 64;  // that a full cache is kept in
  static constexpr std::size_t kHoldersMax = 64;
  // Until the engine tells: 500,000 tokens of four bytes, which is upstream's guess.
  static constexpr std::uint64_t kDefaultCapacity = 2'000'000;

  explicit PrefixIndex(std::size_t blocks_max = std::size_t{1} << 20);
  ~PrefixIndex();

  // The slot is empty (holds nothing, ever) when there are kEndpointsMax already.
  PrefixSlot add();

  void match(const PromptKeys& keys, PrefixMatch& match) const;
  void insert(const PromptKeys& keys, PrefixId id);

  // For metrics and tests.
  std::size_t blocks() const;
  std::size_t memory_bytes() const;
  std::uint64_t bytes_held(PrefixId id) const;
  // How often what it held was lost.
  std::uint32_t forgets(PrefixId id) const {
    return id < kEndpointsMax ? forgets_[id].load(std::memory_order_relaxed) : 0;
  }

 private:
  friend class PrefixSlot;
  struct Endpoint;
  struct Shard;
  void remove(PrefixId id);
  void set_capacity(PrefixId id, std::uint64_t bytes);
  void forget(PrefixId id);
  bool holds(PrefixId id, std::uint16_t epoch) const;

  const std::size_t blocks_max_;
  std::unique_ptr<Shard[]> shards_;
  // The epochs at which an endpoint's blocks still count: newest << 16 | oldest.
  std::unique_ptr<std::atomic<std::uint32_t>[]> window_;
  std::unique_ptr<std::unique_ptr<Endpoint>[]> endpoints_;
  std::unique_ptr<std::atomic<std::uint32_t>[]> forgets_;
  mutable std::mutex slots_mutex_;
  std::vector<PrefixId> free_;
  std::atomic<std::uint32_t> slots_used_{0};  // written under slots_mutex_
  std::atomic<std::uint32_t> endpoints_now_{0};
};

}  // namespace tidegate::pick
