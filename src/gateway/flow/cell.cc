#include "gateway/flow/cell.h"

#include <algorithm>

namespace tidegate::flow {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

}  // namespace

std::optional<Cell::Place> Cell::hold(std::uint64_t bytes, const Bounds& bounds) {
  return enter(kHeld, bytes, bounds);
}

std::optional<Cell::Place> Cell::queue(std::int32_t priority, std::uint64_t bytes, const Bounds& bounds) {
  return enter(band_of(priority), bytes, bounds);
}

// Counts first and looks then, so that two workers at once never pass the bound together.
std::optional<Cell::Place> Cell::enter(std::uint8_t band, std::uint64_t bytes, const Bounds& bounds) {
  Count& count = count_of(band);
  const std::uint32_t requests = count.requests.fetch_add(1, kRelaxed) + 1;
  const std::uint64_t sum = count.bytes.fetch_add(bytes, kRelaxed) + bytes;
  if (requests > bounds.requests || sum > bounds.bytes) {
    count.requests.fetch_sub(1, kRelaxed);
    count.bytes.fetch_sub(bytes, kRelaxed);
    return std::nullopt;
  }
  waiting_.fetch_add(1, kRelaxed);
  return Place{band, bytes};
}

void Cell::leave(const Place& place) {
  Count& count = count_of(place.band);
  count.requests.fetch_sub(1, kRelaxed);
  count.bytes.fetch_sub(place.bytes, kRelaxed);
  waiting_.fetch_sub(1, kRelaxed);
}

std::uint8_t Cell::band_of(std::int32_t priority) {
  for (std::size_t i = 0; i < bands_.size(); ++i) {
    std::int64_t owner = bands_[i].priority.load(kRelaxed);
    if (owner == kNobody && bands_[i].priority.compare_exchange_strong(owner, priority, kRelaxed)) return i;
    if (owner == priority) return static_cast<std::uint8_t>(i);
  }
  return static_cast<std::uint8_t>(kBands - 1);
}

void Cell::set_top(std::size_t worker, std::optional<std::int32_t> priority) {
  tops_[worker].priority.store(priority ? *priority : kNobody, kRelaxed);
}

std::optional<std::int32_t> Cell::top() const {
  std::int64_t most = kNobody;
  for (const Top& top : tops_) most = std::max(most, top.priority.load(kRelaxed));
  if (most == kNobody) return std::nullopt;
  return static_cast<std::int32_t>(most);
}

std::uint32_t Cell::waiting_workers() const {
  return static_cast<std::uint32_t>(std::count_if(
      tops_.begin(), tops_.end(), [](const Top& top) { return top.priority.load(kRelaxed) != kNobody; }));
}

Cell::Row Cell::Count::row() const {
  const std::int64_t owner = priority.load(kRelaxed);
  return {owner == kNobody ? 0 : static_cast<std::int32_t>(owner), requests.load(kRelaxed),
          bytes.load(kRelaxed)};
}

Cell::Row Cell::held() const { return held_.row(); }

std::vector<Cell::Row> Cell::queued() const {
  std::vector<Row> rows;
  for (const Count& band : bands_) {
    if (band.priority.load(kRelaxed) != kNobody) rows.push_back(band.row());
  }
  return rows;
}

}  // namespace tidegate::flow
