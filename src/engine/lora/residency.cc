#include "engine/lora/residency.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace tidegate::lora {

Residency::Residency(Limits limits) : limits_(limits), entries_(1), slots_(limits.slots, kBase) {
  limits_.memory_max = std::max(limits_.memory_max, limits_.slots);
}

AdapterId Residency::add(std::string name) {
  entries_.emplace_back();
  entries_.back().name = std::move(name);
  return static_cast<AdapterId>(entries_.size() - 1);
}

void Residency::remove(AdapterId id) {
  entry(id).removed = true;
  retire_if_unused(id);
}

void Residency::drop_user(AdapterId id) {
  TG_CHECK(entry(id).users > 0);
  if (--entry(id).users == 0) entry(id).awaited = false;  // nobody is left to have a turn
  retire_if_unused(id);
}

void Residency::retire_if_unused(AdapterId id) {
  Entry& adapter = entry(id);
  if (!adapter.removed || adapter.users > 0 || adapter.reading || adapter.place == Place::kRetired) return;
  leave_memory(id, Place::kRetired);
}

void Residency::leave_memory(AdapterId id, Place to) {
  Entry& adapter = entry(id);
  TG_CHECK(adapter.running == 0);
  const std::int32_t slot = std::exchange(adapter.slot, -1);
  if (slot >= 0) slots_[static_cast<std::size_t>(slot)] = kBase;
  adapter.awaited = false;
  adapter.ready_at.reset();
  adapter.place = to;
  if (std::erase(memory_, id) > 0) dropped_.push_back({id, slot});
}

// Room for one more in memory; false if everything there is loading, pinned or awaited.
bool Residency::make_memory() {
  if (memory_.size() < limits_.memory_max) return true;
  AdapterId oldest = kBase;
  for (const AdapterId id : memory_) {
    const Entry& adapter = entry(id);
    if (adapter.place == Place::kLoading || adapter.running > 0 || adapter.awaited) continue;
    if (oldest == kBase || adapter.used < entry(oldest).used) oldest = id;
  }
  if (oldest == kBase) return false;
  leave_memory(oldest, Place::kDisk);
  return true;
}

// A slot that may be filled: an empty one, else that of the least recently used adapter nobody runs with; -1
// if none.
std::int32_t Residency::make_slot() {
  std::int32_t best = -1;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i] == kBase) return static_cast<std::int32_t>(i);
    const Entry& adapter = entry(slots_[i]);
    if (adapter.running > 0) continue;
    if (best < 0 || adapter.used < entry(slots_[static_cast<std::size_t>(best)]).used) {
      best = static_cast<std::int32_t>(i);
    }
  }
  if (best >= 0) {
    Entry& leaving = entry(slots_[static_cast<std::size_t>(best)]);
    leaving.slot = -1;
    leaving.place = Place::kMemory;
    slots_[static_cast<std::size_t>(best)] = kBase;
  }
  return best;
}

Residency::Answer Residency::acquire(AdapterId id, TimePoint now) {
  tick(now);
  Entry& adapter = entry(id);
  TG_CHECK(adapter.place != Place::kRetired);
  switch (adapter.place) {
    case Place::kDisk:
      if (!make_memory()) return {Answer::kFull};
      start_load(id);
      return {Answer::kLoading};
    case Place::kLoading:
      return {Answer::kLoading};
    case Place::kMemory: {
      const std::int32_t slot = make_slot();
      if (slot < 0) return {Answer::kFull};
      slots_[static_cast<std::size_t>(slot)] = id;
      adapter.slot = slot;
      adapter.place = Place::kSlot;
      adapter.awaited = false;
      adapter.used = ++stamp_;
      ++swaps_;
      return {Answer::kReady, slot, true};
    }
    case Place::kSlot:
      adapter.used = ++stamp_;
      return {Answer::kReady, adapter.slot, false};
    case Place::kRetired:
      break;
  }
  return {Answer::kFull};
}

void Residency::pin(AdapterId id) {
  TG_CHECK(entry(id).place == Place::kSlot);
  ++entry(id).running;
}

void Residency::unpin(AdapterId id) {
  TG_CHECK(entry(id).running > 0);
  --entry(id).running;
}

bool Residency::prefetch(AdapterId id) {
  Entry& adapter = entry(id);
  if (adapter.place != Place::kDisk || memory_.size() >= limits_.memory_max) return false;
  start_load(id);
  return true;
}

void Residency::start_load(AdapterId id) {
  Entry& adapter = entry(id);
  adapter.place = Place::kLoading;
  adapter.reading = true;
  adapter.used = ++stamp_;
  memory_.push_back(id);
  to_load_.push_back(id);
}

std::optional<AdapterId> Residency::next_load() {
  if (to_load_.empty()) return std::nullopt;
  const AdapterId id = to_load_.front();
  to_load_.pop_front();
  return id;
}

void Residency::loaded(AdapterId id, TimePoint ready_at, TimePoint now) {
  Entry& adapter = entry(id);
  TG_CHECK(adapter.place == Place::kLoading && adapter.reading);
  adapter.reading = false;
  adapter.ready_at = ready_at;
  adapter.awaited = adapter.users > 0;
  tick(now);
  retire_if_unused(id);
}

void Residency::failed(AdapterId id) {
  Entry& adapter = entry(id);
  TG_CHECK(adapter.place == Place::kLoading && adapter.reading);
  adapter.reading = false;
  leave_memory(id, Place::kDisk);
  retire_if_unused(id);
}

void Residency::tick(TimePoint now) {
  for (const AdapterId id : memory_) {
    Entry& adapter = entry(id);
    if (adapter.place != Place::kLoading || !adapter.ready_at || *adapter.ready_at > now) continue;
    adapter.place = Place::kMemory;
    adapter.ready_at.reset();
  }
}

std::optional<TimePoint> Residency::next_tick() const {
  std::optional<TimePoint> next;
  for (const AdapterId id : memory_) {
    const auto& ready_at = entries_[id].ready_at;
    if (ready_at && (!next || *ready_at < *next)) next = ready_at;
  }
  return next;
}

}  // namespace tidegate::lora
