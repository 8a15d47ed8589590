#include "simulate/blocks.h"

#include <cstring>

#include "base/random.h"

namespace tidegate::simulate {
namespace {

kv::BlockHash hash_of(ContentId content) {
  kv::BlockHash hash;
  const std::uint64_t mixed = mix64(content);
  std::memcpy(hash.bytes.data(), &mixed, sizeof mixed);
  std::memcpy(hash.bytes.data() + sizeof mixed, &content, sizeof content);
  return hash;
}

}  // namespace

Blocks::Blocks(std::size_t blocks, bool named) : capacity_(blocks - 1), free_(blocks - 1) {
  if (named) pool_.emplace(blocks);
}

bool Blocks::grow(Table& table, std::size_t wanted) {
  if (wanted <= table.count) return true;
  const std::size_t more = wanted - table.count;
  if (pool_) {
    if (!pool_->take(more, table.ids)) return false;
  } else {
    if (more > free_) return false;
    free_ -= more;
  }
  table.count = static_cast<std::uint32_t>(wanted);
  return true;
}

void Blocks::release(Table& table) {
  if (pool_) {
    pool_->release(table.ids);
    table.ids.clear();
  } else {
    free_ += table.count;
  }
  table.count = 0;
  table.published = 0;
}

std::uint32_t Blocks::find(std::span<const ContentId> content) {
  found_.clear();
  if (!pool_ || content.empty()) return 0;
  hashes_.clear();
  for (const ContentId each : content) hashes_.push_back(hash_of(each));
  pool_->find(hashes_, found_);
  return static_cast<std::uint32_t>(found_.size());
}

void Blocks::publish(Table& table, std::span<const ContentId> content, std::size_t full) {
  if (!pool_) return;
  full = std::min(full, content.size());
  for (; table.published < full; ++table.published) {
    pool_->publish(table.ids[table.published], hash_of(content[table.published]));
  }
}

}  // namespace tidegate::simulate
