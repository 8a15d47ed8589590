#include "gateway/pick/prefix_index.h"

#include <algorithm>
#include <array>

#include "gateway/pick/prefix_shard.h"

namespace tidegate::pick {
namespace {

constexpr std::size_t kShards = 64;
constexpr std::size_t kRing = 256;         // generations that are counted, by epoch
constexpr std::uint16_t kWindowMax = 250;  // that may count at a time

std::uint16_t newest_of(std::uint32_t window) { return static_cast<std::uint16_t>(window >> 16); }
std::uint16_t oldest_of(std::uint32_t window) { return static_cast<std::uint16_t>(window); }

bool within(std::uint32_t window, std::uint16_t epoch) {
  const std::uint16_t newest = newest_of(window);
  return static_cast<std::uint16_t>(newest - epoch) <= static_cast<std::uint16_t>(newest - oldest_of(window));
}

// Blocks of one insertion that moved from one epoch to the newest.
struct Moved {
  std::uint16_t epoch = 0;
  std::uint32_t blocks = 0;
  std::uint64_t bytes = 0;
};

}  // namespace

struct PrefixIndex::Shard : PrefixShard {};

// How much of what an endpoint holds was last sent in which epoch.
struct PrefixIndex::Endpoint {
  struct Generation {
    std::uint64_t bytes = 0;
    std::uint32_t blocks = 0;
  };

  std::mutex mutex;
  std::uint64_t capacity = kDefaultCapacity;
  Generation held;
  std::uint16_t newest = 0;
  std::uint16_t oldest = 0;
  std::array<Generation, kRing> ring{};

  Generation& at(std::uint16_t epoch) { return ring[epoch % kRing]; }
  std::uint32_t window() const { return static_cast<std::uint32_t>(newest) << 16 | oldest; }

  void add(std::uint16_t epoch, std::uint64_t bytes, std::uint32_t blocks) {
    if (!within(window(), epoch)) return;
    at(epoch).bytes += bytes;
    at(epoch).blocks += blocks;
    held.bytes += bytes;
    held.blocks += blocks;
  }
  void take(const Moved& moved) {
    if (!within(window(), moved.epoch)) return;
    Generation& from = at(moved.epoch);
    const std::uint64_t bytes = std::min(moved.bytes, from.bytes);
    const std::uint32_t blocks = std::min(moved.blocks, from.blocks);
    from.bytes -= bytes;
    from.blocks -= blocks;
    held.bytes -= bytes;
    held.blocks -= blocks;
  }
  // Begins a new generation when this one is full, and lets the oldest go while too much is held.
  void settle(std::size_t blocks_share) {
    const std::uint64_t bytes_each = std::max<std::uint64_t>(capacity / kGenerations, 1);
    const std::uint64_t blocks_each = std::max<std::uint64_t>(blocks_share / kGenerations, 1);
    if (at(newest).bytes >= bytes_each || at(newest).blocks >= blocks_each) {
      ++newest;
      at(newest) = {};
    }
    while (oldest != newest && (held.bytes > capacity || held.blocks > blocks_share ||
                                static_cast<std::uint16_t>(newest - oldest) > kWindowMax)) {
      held.bytes -= at(oldest).bytes;
      held.blocks -= at(oldest).blocks;
      at(oldest) = {};
      ++oldest;
    }
  }
  void forget() {
    ++newest;
    oldest = newest;
    ring.fill({});
    held = {};
  }
};

PrefixSlot::~PrefixSlot() {
  if (index_ != nullptr) index_->remove(id_);
}

void PrefixSlot::set_capacity(std::uint64_t bytes) {
  if (index_ != nullptr) index_->set_capacity(id_, bytes);
}

void PrefixSlot::forget() {
  if (index_ != nullptr) index_->forget(id_);
}

void PrefixMatch::begin(std::size_t ids) {
  for (const PrefixId id : found_) blocks_[id] = 0;
  found_.clear();
  if (blocks_.size() < ids) blocks_.resize(ids);
}

PrefixIndex::PrefixIndex(std::size_t blocks_max)
    : blocks_max_(std::max<std::size_t>(blocks_max, kShards)),
      shards_(std::make_unique<Shard[]>(kShards)),
      window_(std::make_unique<std::atomic<std::uint32_t>[]>(kEndpointsMax)),
      endpoints_(std::make_unique<std::unique_ptr<Endpoint>[]>(kEndpointsMax)),
      forgets_(std::make_unique<std::atomic<std::uint32_t>[]>(kEndpointsMax)) {
  for (std::size_t i = 0; i < kShards; ++i) shards_[i].set_blocks_max(blocks_max_ / kShards);
}

PrefixIndex::~PrefixIndex() = default;

PrefixSlot PrefixIndex::add() {
  const std::lock_guard lock(slots_mutex_);
  PrefixId id = kNoPrefixId;
  if (!free_.empty()) {
    id = free_.back();
    free_.pop_back();
  } else if (slots_used_.load(std::memory_order_relaxed) < kEndpointsMax) {
    id = static_cast<PrefixId>(slots_used_.fetch_add(1, std::memory_order_relaxed));
    endpoints_[id] = std::make_unique<Endpoint>();
  } else {
    return {};
  }
  endpoints_now_.fetch_add(1, std::memory_order_relaxed);
  return {*this, id};
}

void PrefixIndex::remove(PrefixId id) {
  forget(id);
  set_capacity(id, kDefaultCapacity);
  const std::lock_guard lock(slots_mutex_);
  free_.push_back(id);
  endpoints_now_.fetch_sub(1, std::memory_order_relaxed);
}

void PrefixIndex::set_capacity(PrefixId id, std::uint64_t bytes) {
  const std::lock_guard lock(endpoints_[id]->mutex);
  endpoints_[id]->capacity = bytes;
}

void PrefixIndex::forget(PrefixId id) {
  Endpoint& endpoint = *endpoints_[id];
  const std::lock_guard lock(endpoint.mutex);
  endpoint.forget();
  forgets_[id].fetch_add(1, std::memory_order_relaxed);
  window_[id].store(endpoint.window(), std::memory_order_relaxed);
}

bool PrefixIndex::holds(PrefixId id, std::uint16_t epoch) const {
  return id != kNoPrefixId && within(window_[id].load(std::memory_order_relaxed), epoch);
}

void PrefixIndex::match(const PromptKeys& keys, PrefixMatch& match) const {
  std::size_t left = slots_used_.load(std::memory_order_relaxed);  // that hold all blocks so far
  match.begin(left);
  for (std::size_t block = 0; block < keys.size() && left > 0; ++block) {
    std::size_t held = 0;
    Shard& shard = shards_[keys.key(block) >> 58];
    const std::lock_guard lock(shard.lock());
    shard.visit(keys.key(block), [&](const Holder& holder) {
      if (!match.reaches(holder.id, block) || !holds(holder.id, holder.epoch)) return true;
      match.extend(holder.id, block);
      return ++held < left;  // nobody else can
    });
    left = held;
  }
}

void PrefixIndex::insert(const PromptKeys& keys, PrefixId id) {
  if (id >= kEndpointsMax || keys.empty()) return;
  Endpoint& endpoint = *endpoints_[id];
  const std::uint16_t epoch = newest_of(window_[id].load(std::memory_order_relaxed));
  const auto valid = [this](const Holder& holder) { return holds(holder.id, holder.epoch); };
  std::array<Moved, 8> moved;
  std::size_t moves = 0;
  std::uint64_t added_bytes = 0;
  std::uint32_t added_blocks = 0;
  for (std::size_t block = 0; block < keys.size(); ++block) {
    const std::uint32_t bytes = keys.bytes(block + 1) - keys.bytes(block);
    std::uint16_t before = 0;
    Shard& shard = shards_[keys.key(block) >> 58];
    PrefixShard::Stamped stamped;
    {
      const std::lock_guard lock(shard.lock());
      stamped = shard.stamp(keys.key(block), id, epoch, valid, before);
    }
    if (stamped == PrefixShard::Stamped::kFull) break;  // what follows a gap is never found
    if (stamped == PrefixShard::Stamped::kMoved && before == epoch) continue;
    added_bytes += bytes;
    ++added_blocks;
    if (stamped != PrefixShard::Stamped::kMoved) continue;
    if (moves == 0 || moved[moves - 1].epoch != before) {
      if (moves == moved.size()) {
        const std::lock_guard lock(endpoint.mutex);
        while (moves > 0) endpoint.take(moved[--moves]);
      }
      moved[moves++] = {before, 0, 0};
    }
    moved[moves - 1].bytes += bytes;
    ++moved[moves - 1].blocks;
  }
  if (added_blocks == 0) return;
  const std::lock_guard lock(endpoint.mutex);
  while (moves > 0) endpoint.take(moved[--moves]);
  endpoint.add(epoch, added_bytes, added_blocks);
  endpoint.settle(blocks_max_ / std::max<std::size_t>(endpoints_now_.load(std::memory_order_relaxed), 1));
  window_[id].store(endpoint.window(), std::memory_order_relaxed);
}

std::size_t PrefixIndex::blocks() const {
  std::size_t total = 0;
  for (std::size_t i = 0; i < kShards; ++i) {
    const std::lock_guard lock(shards_[i].lock());
    total += shards_[i].blocks();
  }
  return total;
}

std::size_t PrefixIndex::memory_bytes() const {
  std::size_t total = 0;
  for (std::size_t i = 0; i < kShards; ++i) {
    const std::lock_guard lock(shards_[i].lock());
    total += shards_[i].memory_bytes();
  }
  return total;
}

std::uint64_t PrefixIndex::bytes_held(PrefixId id) const {
  if (id >= kEndpointsMax) return 0;
  const std::lock_guard lock(endpoints_[id]->mutex);
  return endpoints_[id]->held.bytes;
}

}  // namespace tidegate::pick
