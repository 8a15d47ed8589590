// Our model of which LoRA adapters sit in one endpoint's slots.
//
// vLLM's metric shows adapters that have requests at the moment, not those that are loaded: an idle adapter
// vanishes from it while it still sits in its slot. So we keep our own account: `slots` places, filled by
// what we and others send there, least recently used goes first, as vLLM's own cache does. The metric
// corrects it: an adapter that runs is resident.
//
// Each slot is one atomic word, adapter and time of last use. Two workers that race for a slot may lose one
// entry, which the next use brings back.
//
// Thread: any thread.

#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "base/clock.h"

namespace tidegate::pick {

using AdapterId = std::uint32_t;
inline constexpr AdapterId kNoAdapter = 0;

// A hash of the name, never kNoAdapter. Two names that collide look like one adapter: harmless here.
AdapterId adapter_id(std::string_view name);

enum class AdapterPlace : std::uint8_t {
  kNotAsked,  // the request is for the base model
  kResident,  // loads nothing
  kRoom,      // loads into a free slot
  kFull,      // must push another adapter out
};

// vLLM's --max-loras is 1 unless set. Until the metric says more we assume the size most multi-adapter setups
// use; too high a guess costs a swap, too low a guess costs affinity.
inline constexpr std::uint32_t kDefaultAdapterSlots = 4;

class Residency {
 public:
  static constexpr std::uint32_t kSlotsMax = 64;  // more are treated as this many

  explicit Residency(std::uint32_t slots = kDefaultAdapterSlots) { set_slots(slots); }

  // From the max_lora label, or from the pod's arguments. Shrinking forgets the least recently used.
  void set_slots(std::uint32_t slots);
  std::uint32_t slots() const { return slots_.load(std::memory_order_relaxed); }

  // A request for the adapter was sent here, or the endpoint reports it as running.
  void touch(AdapterId adapter, TimePoint now);

  // The endpoint restarted, or the adapter was unloaded there.
  void clear();
  void forget(AdapterId adapter);

  AdapterPlace place(AdapterId adapter) const {
    if (adapter == kNoAdapter) return AdapterPlace::kNotAsked;
    // Without a branch per slot: where an adapter sits cannot be foretold.
    bool resident = false;
    bool room = false;
    for (std::uint32_t i = 0; i < slots(); ++i) {
      const std::uint64_t held = slot_[i].load(std::memory_order_relaxed);
      resident |= static_cast<AdapterId>(held >> 32) == adapter;
      room |= held == 0;
    }
    if (resident) return AdapterPlace::kResident;
    return room ? AdapterPlace::kRoom : AdapterPlace::kFull;
  }
  std::uint32_t resident_count() const;

 private:
  // First, so that it shares a cache line with the slots that are used.
  std::atomic<std::uint32_t> slots_{kDefaultAdapterSlots};
  // (adapter << 32) | stamp; 0 is an empty slot. The stamp is in milliseconds and wraps after 49 days:
  // compared by difference.
  std::array<std::atomic<std::uint64_t>, kSlotsMax> slot_{};
};

}  // namespace tidegate::pick
