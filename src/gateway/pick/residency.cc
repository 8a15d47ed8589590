#include "gateway/pick/residency.h"

#include <algorithm>
#include <functional>

#include "base/random.h"

namespace tidegate::pick {
namespace {

std::uint32_t stamp_of(TimePoint now) {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count());
}

AdapterId adapter_in(std::uint64_t slot) { return static_cast<AdapterId>(slot >> 32); }

// Wraps with the stamp: half of its range ago is the longest that still compares rightly.
bool older(std::uint64_t a, std::uint64_t b) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) - static_cast<std::uint32_t>(b)) < 0;
}

}  // namespace

AdapterId adapter_id(std::string_view name) {
  const auto hash = static_cast<AdapterId>(mix64(std::hash<std::string_view>()(name)));
  return hash == kNoAdapter ? 1 : hash;
}

void Residency::set_slots(std::uint32_t slots) {
  slots = std::clamp<std::uint32_t>(slots, 1, kSlotsMax);
  const std::uint32_t before = slots_.load(std::memory_order_relaxed);
  if (slots == before) return;
  if (slots < before) {
    // The most recently used keep their places. A touch that comes between is lost; its next use brings it
    // back.
    std::array<std::uint64_t, kSlotsMax> held{};
    for (std::uint32_t i = 0; i < kSlotsMax; ++i) held[i] = slot_[i].exchange(0, std::memory_order_relaxed);
    std::sort(held.begin(), held.end(), [](std::uint64_t a, std::uint64_t b) {
      if ((a == 0) != (b == 0)) return b == 0;
      return older(b, a);
    });
    for (std::uint32_t i = 0; i < slots; ++i) slot_[i].store(held[i], std::memory_order_relaxed);
  }
  slots_.store(slots, std::memory_order_relaxed);
}

void Residency::touch(AdapterId adapter, TimePoint now) {
  if (adapter == kNoAdapter) return;
  const std::uint64_t word = (static_cast<std::uint64_t>(adapter) << 32) | stamp_of(now);
  const std::uint32_t slots = this->slots();
  std::uint32_t place = 0;
  std::uint64_t place_word = slot_[0].load(std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < slots; ++i) {
    const std::uint64_t held = slot_[i].load(std::memory_order_relaxed);
    if (adapter_in(held) == adapter) {
      slot_[i].store(word, std::memory_order_relaxed);
      return;
    }
    if (place_word != 0 && (held == 0 || older(held, place_word))) {
      place = i;
      place_word = held;
    }
  }
  slot_[place].compare_exchange_strong(place_word, word, std::memory_order_relaxed);
}

void Residency::clear() {
  for (auto& slot : slot_) slot.store(0, std::memory_order_relaxed);
}

void Residency::forget(AdapterId adapter) {
  for (auto& slot : slot_) {
    std::uint64_t held = slot.load(std::memory_order_relaxed);
    if (held != 0 && adapter_in(held) == adapter)
      slot.compare_exchange_strong(held, 0, std::memory_order_relaxed);
  }
}

std::uint32_t Residency::resident_count() const {
  std::uint32_t count = 0;
  for (const auto& slot : slot_) count += slot.load(std::memory_order_relaxed) != 0 ? 1 : 0;
  return count;
}

}  // namespace tidegate::pick
