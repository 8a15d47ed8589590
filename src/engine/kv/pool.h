// The KV cache's blocks: who holds which, which may be given away, and which content can be found again.
//
// Every block has a count of holders. A block without holders waits in the free list, oldest first; taking a
// block pops the head and forgets what it held, so the list is also the cache's LRU order. A published block
// (full, its content computed and hashed) is found by its hash until it is taken for something else; a hit
// gains a holder and leaves the free list. Equal content may lie in several blocks: tables are append-only,
// so duplicates stay.
//
// Invariant: every block except the null block is either held by someone or in the free list, never both.
//
// Thread: the engine thread. Pure: no time, no I/O.
// Source: vLLM v1 kv_cache_utils.py, block_pool.py as in reference model-server.md section 3.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/kv/hash.h"

namespace tidegate::kv {

using BlockId = std::uint32_t;

inline constexpr BlockId kNullBlock = 0;

class BlockPool {
 public:
  // `blocks` counts the null block. Requires: blocks >= 2.
  explicit BlockPool(std::size_t blocks);

  std::size_t capacity() const { return blocks_.size() - 1; }
  std::size_t free() const { return free_count_; }
  // Share of the blocks that requests hold, 0 to 1: vllm:kv_cache_usage_perc.
  double usage() const;
  std::size_t published() const { return published_count_; }

  // Appends `count` blocks, one holder each, to `table`; all or none.
  bool take(std::size_t count, std::vector<BlockId>& table);

  // The longest run of published blocks that starts with hashes[0]; appended to `found` without gaining
  // holders.
  void find(std::span<const BlockHash> hashes, std::vector<BlockId>& found) const;

  // How many of `blocks` lie in the free list, and so would shrink it when held.
  std::size_t unheld(std::span<const BlockId> blocks) const;

  void hold(std::span<const BlockId> blocks);

  // Drops one holder each, last block first, so that of one sequence the deepest is given away first.
  void release(std::span<const BlockId> blocks);

  // From now on `hash` finds `block`. Requires: the block is held and its content computed. No effect if the
  // block is published already.
  void publish(BlockId block, const BlockHash& hash);

  // Forgets every hash. vLLM refuses while requests hold blocks; so do we: false then.
  bool forget_all();

  // What happened to published blocks since the last call, in order, for KV events. Off until asked for.
  struct Event {
    enum Kind { kStored, kRemoved, kCleared } kind;
    BlockId block;
    BlockHash hash;
  };
  void record_events(bool on) { recording_ = on; }
  std::vector<Event> take_events() { return std::exchange(events_, {}); }

  std::uint32_t holders(BlockId block) const { return blocks_[block].holders; }

 private:
  struct Block {
    BlockId previous = kNullBlock;  // in the free list; the null block is its head and its end
    BlockId next = kNullBlock;
    BlockId same = kNullBlock;  // another block with the same hash
    std::uint32_t holders = 0;
    bool published = false;
    BlockHash hash;
  };

  void unlink(BlockId id);
  void append(BlockId id);
  void forget(BlockId id);

  std::vector<Block> blocks_;
  std::unordered_map<BlockHash, BlockId, HashOfHash> by_hash_;  // first of the blocks chained by `same`
  std::size_t free_count_ = 0;
  std::size_t published_count_ = 0;
  bool recording_ = false;
  std::vector<Event> events_;
};

}  // namespace tidegate::kv
