#include "engine/kv/pool.h"

#include <algorithm>

#include "base/check.h"

namespace tidegate::kv {

BlockPool::BlockPool(std::size_t blocks) : blocks_(blocks) {
  TG_CHECK(blocks >= 2);
  for (std::size_t i = 1; i < blocks; ++i) append(static_cast<BlockId>(i));
}

double BlockPool::usage() const {
  return static_cast<double>(capacity() - free_count_) / static_cast<double>(capacity());
}

void BlockPool::unlink(BlockId id) {
  Block& block = blocks_[id];
  blocks_[block.previous].next = block.next;
  blocks_[block.next].previous = block.previous;
  --free_count_;
}

void BlockPool::append(BlockId id) {
  Block& end = blocks_[kNullBlock];
  blocks_[id].previous = end.previous;
  blocks_[id].next = kNullBlock;
  blocks_[end.previous].next = id;
  end.previous = id;
  ++free_count_;
}

bool BlockPool::take(std::size_t count, std::vector<BlockId>& table) {
  if (count > free_count_) return false;
  for (std::size_t i = 0; i < count; ++i) {
    const BlockId id = blocks_[kNullBlock].next;
    unlink(id);
    if (blocks_[id].published) forget(id);
    blocks_[id].holders = 1;
    table.push_back(id);
  }
  return true;
}

void BlockPool::find(std::span<const BlockHash> hashes, std::vector<BlockId>& found) const {
  for (const BlockHash& hash : hashes) {
    const auto entry = by_hash_.find(hash);
    if (entry == by_hash_.end()) return;
    found.push_back(entry->second);
  }
}

std::size_t BlockPool::unheld(std::span<const BlockId> blocks) const {
  return static_cast<std::size_t>(
      std::count_if(blocks.begin(), blocks.end(), [this](BlockId id) { return blocks_[id].holders == 0; }));
}

void BlockPool::hold(std::span<const BlockId> blocks) {
  for (const BlockId id : blocks) {
    if (blocks_[id].holders++ == 0) unlink(id);
  }
}

void BlockPool::release(std::span<const BlockId> blocks) {
  for (auto id = blocks.rbegin(); id != blocks.rend(); ++id) {
    TG_CHECK(*id != kNullBlock && blocks_[*id].holders > 0);
    if (--blocks_[*id].holders == 0) append(*id);
  }
}

void BlockPool::publish(BlockId id, const BlockHash& hash) {
  Block& block = blocks_[id];
  TG_CHECK(block.holders > 0);
  if (block.published) return;
  block.published = true;
  block.hash = hash;
  const auto [entry, fresh] = by_hash_.try_emplace(hash, id);
  if (!fresh) {
    block.same = blocks_[entry->second].same;
    blocks_[entry->second].same = id;
  }
  ++published_count_;
  if (recording_) events_.push_back({Event::kStored, id, hash});
}

void BlockPool::forget(BlockId id) {
  Block& block = blocks_[id];
  const auto entry = by_hash_.find(block.hash);
  TG_CHECK(entry != by_hash_.end());
  bool last = false;
  if (entry->second == id) {
    if (block.same == kNullBlock) {
      by_hash_.erase(entry);
      last = true;
    } else {
      entry->second = block.same;
    }
  } else {
    BlockId before = entry->second;
    while (blocks_[before].same != id) before = blocks_[before].same;
    blocks_[before].same = block.same;
  }
  block.same = kNullBlock;
  block.published = false;
  --published_count_;
  if (recording_ && last) events_.push_back({Event::kRemoved, id, block.hash});
}

bool BlockPool::forget_all() {
  if (free_count_ != capacity()) return false;
  by_hash_.clear();
  for (Block& block : blocks_) {
    block.published = false;
    block.same = kNullBlock;
  }
  published_count_ = 0;
  if (recording_) events_.push_back({Event::kCleared, kNullBlock, {}});
  return true;
}

}  // namespace tidegate::kv
