#include "gateway/pick/prefix_shard.h"

#include <algorithm>
#include <bit>

namespace tidegate::pick {
namespace {

constexpr std::size_t kFirstSize = 16;

}  // namespace

void PrefixShard::set_blocks_max(std::size_t blocks) {
  // Shards are not filled equally: a quarter more than an equal share, at three quarters full.
  size_max_ = std::bit_ceil(std::max(kFirstSize, blocks * 5 / 3));
}

PrefixShard::Block* PrefixShard::place(std::uint64_t key) {
  const std::size_t mask = table_.size() - 1;
  std::size_t at = key & mask;
  while (table_[at].key != 0) at = (at + 1) & mask;
  table_[at] = {key, {}, 0};
  ++used_;
  return &table_[at];
}

bool PrefixShard::grow() {
  const std::size_t size = table_.empty() ? kFirstSize : table_.size() * 2;
  if (size > size_max_) return false;
  std::vector<Block> old(size);
  old.swap(table_);
  const std::size_t mask = size - 1;
  for (const Block& block : old) {
    if (block.key == 0) continue;
    std::size_t at = block.key & mask;
    while (table_[at].key != 0) at = (at + 1) & mask;
    table_[at] = block;
  }
  hand_ = 0;
  return true;
}

void PrefixShard::erase(std::size_t at) {
  for (std::uint32_t chunk = table_[at].more; chunk != 0;) {
    const std::uint32_t next = chunks_[chunk].next;
    chunks_[chunk] = {};
    chunks_[chunk].next = free_chunk_;
    free_chunk_ = chunk;
    chunk = next;
  }
  // What follows moves up, so that no search ends at the gap.
  const std::size_t mask = table_.size() - 1;
  std::size_t gap = at;
  for (std::size_t next = (at + 1) & mask; table_[next].key != 0; next = (next + 1) & mask) {
    const std::size_t home = table_[next].key & mask;
    if (((next - home) & mask) < ((next - gap) & mask)) continue;
    table_[gap] = table_[next];
    gap = next;
  }
  table_[gap] = {};
  --used_;
}

// A place for one more holder. Where there are as many as may be, the places are taken in turn.
Holder* PrefixShard::add_place(Block& block, std::size_t count) {
  if (count >= kHoldersMax) {
    std::uint32_t skip = turn_++ % kHoldersMax;
    if (skip == 0) return &block.first;
    std::uint32_t at = block.more;
    for (--skip; skip >= std::size(chunks_[at].holders); skip -= std::size(chunks_[at].holders)) {
      if (chunks_[at].next == 0) return &chunks_[at].holders[0];
      at = chunks_[at].next;
    }
    return &chunks_[at].holders[skip];
  }
  if (chunks_.empty()) chunks_.emplace_back();  // number 0 means none
  std::uint32_t chunk = free_chunk_;
  if (chunk != 0) {
    free_chunk_ = chunks_[chunk].next;
  } else {
    chunk = static_cast<std::uint32_t>(chunks_.size());
    chunks_.emplace_back();
  }
  chunks_[chunk] = {};
  chunks_[chunk].next = block.more;
  block.more = chunk;
  return &chunks_[chunk].holders[0];
}

}  // namespace tidegate::pick
