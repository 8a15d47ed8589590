// One shard of a prefix index: a hash table from block keys to the endpoints that hold the block, each with
// the epoch in which it was last sent there. Whether an epoch still counts is the index's to say.
//
// Linear probing with 16 bytes a block; most blocks have one holder, which sits in the table, more go into
// chunks of seven. A block whose holders have all expired is taken out by a hand that moves a few places with
// every new block, so no operation ever sweeps a whole table but the few that double it.
//
// Thread: under its lock.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace tidegate::pick {

struct Holder {
  std::uint16_t id = 0xFFFF;
  std::uint16_t epoch = 0;
};

// Held for nanoseconds, so waiting is turning; a holder that lost its core is let run.
class SpinLock {
 public:
  void lock() {
    for (int turns = 0; held_.exchange(true, std::memory_order_acquire); ++turns) {
      if (turns > 100) std::this_thread::yield();
    }
  }
  void unlock() { held_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> held_{false};
};

class alignas(64) PrefixShard {
 public:
  static constexpr std::size_t kHoldersMax = 64;

  SpinLock& lock() { return lock_; }
  void set_blocks_max(std::size_t blocks);

  // Calls visit(holder) for each holder of the block until it returns false.
  template <typename Visit>
  void visit(std::uint64_t key, Visit visit) const {
    const Block* const block = find(key);
    if (block == nullptr || !visit(block->first)) return;
    for (std::uint32_t at = block->more; at != 0; at = chunks_[at].next) {
      for (const Holder& holder : chunks_[at].holders) {
        if (!visit(holder)) return;
      }
    }
  }

  enum class Stamped : std::uint8_t { kNew, kMoved, kFull };
  // Notes that endpoint `id` was sent the block in `epoch`. kMoved: it held it already, since `before`.
  // kFull: there is no room for another block. `valid(holder)` says whether a holder still counts.
  template <typename Valid>
  Stamped stamp(std::uint64_t key, std::uint16_t id, std::uint16_t epoch, Valid valid,
                std::uint16_t& before) {
    Block* block = find(key);
    if (block == nullptr) block = make(key, valid);
    if (block == nullptr) return Stamped::kFull;
    Holder* spare = nullptr;
    std::size_t count = 0;
    const auto look = [&](Holder& holder) {
      ++count;
      if (holder.id == id) {
        before = holder.epoch;
        const bool counted = valid(holder);
        holder.epoch = epoch;
        return counted ? std::optional(Stamped::kMoved) : std::optional(Stamped::kNew);
      }
      if (spare == nullptr && !valid(holder)) spare = &holder;
      return std::optional<Stamped>();
    };
    if (const auto done = look(block->first)) return *done;
    for (std::uint32_t at = block->more; at != 0; at = chunks_[at].next) {
      for (Holder& holder : chunks_[at].holders) {
        if (const auto done = look(holder)) return *done;
      }
    }
    if (spare == nullptr) spare = add_place(*block, count);
    *spare = {id, epoch};
    return Stamped::kNew;
  }

  // That of endpoint `id` for the block; null: it has none.
  const Holder* holder(std::uint64_t key, std::uint16_t id) const {
    const Holder* found = nullptr;
    visit(key, [&](const Holder& holder) {
      if (holder.id == id) found = &holder;
      return found == nullptr;
    });
    return found;
  }

  // Endpoint `id` does not hold the block any more. One that nobody holds goes.
  template <typename Valid>
  void drop(std::uint64_t key, std::uint16_t id, Valid valid) {
    Holder* const gone = const_cast<Holder*>(holder(key, id));
    if (gone == nullptr) return;
    *gone = {};
    const auto at = static_cast<std::size_t>(find(key) - table_.data());
    if (!any_valid(table_[at], valid)) erase(at);
  }

  std::size_t blocks() const { return used_; }
  std::size_t memory_bytes() const {
    return table_.capacity() * sizeof(Block) + chunks_.capacity() * sizeof(Chunk);
  }

 private:
  struct Block {
    std::uint64_t key = 0;  // 0: an empty place
    Holder first;
    std::uint32_t more = 0;  // index of a chunk; 0: none
  };
  struct Chunk {
    Holder holders[7];
    std::uint32_t next = 0;
  };
  static constexpr int kSwept = 3;  // places looked at for every new block

  const Block* find(std::uint64_t key) const {
    if (table_.empty()) return nullptr;
    const std::size_t mask = table_.size() - 1;
    for (std::size_t at = key & mask; table_[at].key != 0; at = (at + 1) & mask) {
      if (table_[at].key == key) return &table_[at];
    }
    return nullptr;
  }
  Block* find(std::uint64_t key) { return const_cast<Block*>(std::as_const(*this).find(key)); }

  template <typename Valid>
  Block* make(std::uint64_t key, Valid valid) {
    if ((used_ + 1) * 4 > table_.size() * 3 && !grow()) {
      sweep(valid, kSwept * 16);
      if ((used_ + 1) * 4 > table_.size() * 3) return nullptr;
    }
    sweep(valid, kSwept);
    return place(key);
  }

  template <typename Valid>
  void sweep(Valid valid, int places) {
    for (int i = 0; i < places; ++i) {
      hand_ = (hand_ + 1) & (table_.size() - 1);
      const Block& block = table_[hand_];
      if (block.key == 0) continue;
      if (!any_valid(block, valid)) erase(hand_);
    }
  }

  template <typename Valid>
  bool any_valid(const Block& block, Valid valid) const {
    bool any = valid(block.first);
    for (std::uint32_t at = block.more; at != 0 && !any; at = chunks_[at].next) {
      for (const Holder& holder : chunks_[at].holders) any = any || valid(holder);
    }
    return any;
  }

  Block* place(std::uint64_t key);
  bool grow();
  void erase(std::size_t at);
  Holder* add_place(Block& block, std::size_t count);

  SpinLock lock_;
  std::vector<Block> table_;  // a power of two of them
  std::vector<Chunk> chunks_;
  std::uint32_t free_chunk_ = 0;
  std::size_t used_ = 0;
  std::size_t size_max_ = 64;
  std::size_t hand_ = 0;
  std::uint32_t turn_ = 0;
};

}  // namespace tidegate::pick
