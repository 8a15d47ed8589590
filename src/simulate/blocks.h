// The KV blocks of one modelled engine: only counted, which is fast, or the engine's real pool with names,
// for studies of prefix caching.
//
// Thread: one thread.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/kv/pool.h"

namespace tidegate::simulate {

// Names the content of one full block of a prompt, and of everything before it.
using ContentId = std::uint64_t;

// What one sequence holds.
struct Table {
  std::uint32_t count = 0;
  std::vector<kv::BlockId> ids;  // only with names
  std::uint32_t published = 0;
};

class Blocks {
 public:
  // `blocks` as of latency::kv_blocks: with the null block.
  Blocks(std::size_t blocks, bool named);

  std::size_t capacity() const { return capacity_; }
  std::size_t free() const { return pool_ ? pool_->free() : free_; }

  // Makes the table `wanted` blocks long; false, and nothing changes, if there are too few.
  bool grow(Table& table, std::size_t wanted);
  void release(Table& table);

  // Starts an empty table: what is found of `content` is shared, the rest up to `wanted(found)` is new. Empty
  // if there are too few blocks; else how many were found.
  template <typename Wanted>
  std::optional<std::uint32_t> start(Table& table, std::span<const ContentId> content, const Wanted& wanted);

  // The first `full` blocks of the table are computed, and found by others from now on.
  void publish(Table& table, std::span<const ContentId> content, std::size_t full);

 private:
  std::uint32_t find(std::span<const ContentId> content);

  std::size_t capacity_;
  std::size_t free_;
  std::optional<kv::BlockPool> pool_;
  std::vector<kv::BlockHash> hashes_;  // scratch
  std::vector<kv::BlockId> found_;     // scratch
};

template <typename Wanted>
std::optional<std::uint32_t> Blocks::start(Table& table, std::span<const ContentId> content,
                                           const Wanted& wanted) {
  const std::uint32_t found = find(content);
  const std::size_t fresh = wanted(found) - found;
  if (fresh + (pool_ ? pool_->unheld(found_) : 0) > free()) return std::nullopt;
  if (pool_) {
    pool_->hold(found_);
    table.ids = found_;
  }
  table.count = found;
  table.published = found;
  grow(table, found + fresh);
  return found;
}

}  // namespace tidegate::simulate
