// Where each adapter is: on disk, on its way into CPU memory, there, or in a slot of the model.
//
//            acquire()             loaded()              acquire()
//    kDisk ------------> kLoading ---------> kMemory ---------------> kSlot
//      ^                    | failed()          | ^                     |
//      |<-------------------+                   | +--- another takes ---+
//      |<------------ another takes the place --+          the slot
//
// Two levels, both least recently used first: `memory_max` adapters in CPU memory, those in slots included,
// and `slots` of them in slots. An adapter with running sequences is pinned and leaves neither. One that was
// loaded for a waiting request stays in memory until that request has had its turn, so two cold adapters
// cannot throw each other out for ever.
//
// Loading is asynchronous: acquire() says kLoading and next_load() hands the work to whoever reads files; an
// adapter whose load has a modelled duration stays kLoading until that has passed.
//
// Adapters are known by id. Removing or replacing one takes its name away at once; requests that were
// admitted under the old id finish with the old weights, then the id is retired.
//
// Thread: the engine thread. Time is handed in. The adapters themselves are held by the owner.
// Source: vLLM lora/worker_manager.py (two LRU levels); reference model-server.md sections 3 and 9.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace tidegate::lora {

using AdapterId = std::uint32_t;  // 0 is the base model

inline constexpr AdapterId kBase = 0;

struct Limits {
  std::size_t slots = 1;       // --max-loras
  std::size_t memory_max = 1;  // --max-cpu-loras; raised to `slots` if lower
};

enum class Place { kDisk, kLoading, kMemory, kSlot, kRetired };

class Residency {
 public:
  explicit Residency(Limits limits);

  // A new adapter on disk. Ids count from 1 and are not reused.
  AdapterId add(std::string name);

  // No new request will ask for it; its memory goes when the last user has gone.
  void remove(AdapterId id);

  // A request that refers to the adapter, waiting or running.
  void add_user(AdapterId id) { ++entry(id).users; }
  void drop_user(AdapterId id);

  struct Answer {
    enum Kind {
      kReady,    // in `slot`; if `placed`, the owner must fill the slot now
      kLoading,  // wait for the load
      kFull,     // wait until a slot or a place in memory is no longer pinned
    } kind;
    std::int32_t slot = -1;
    bool placed = false;
  };

  // Asks for the adapter to be in a slot. Marks it as used now. Starts a load if it is on disk and a place in
  // memory can be had.
  Answer acquire(AdapterId id, TimePoint now);

  // Starts a load before anybody asks, if memory has an empty place.
  bool prefetch(AdapterId id);

  // Running sequences of the adapter; pinned while there is one. Requires for pin(): the adapter is in a
  // slot.
  void pin(AdapterId id);
  void unpin(AdapterId id);

  // The next adapter whose file is to be read, once each.
  std::optional<AdapterId> next_load();

  // The read ended. With `ready_at` after now, the adapter is in memory from then on.
  void loaded(AdapterId id, TimePoint ready_at, TimePoint now);
  void failed(AdapterId id);

  // Modelled loads that are over by `now` are in memory afterwards.
  void tick(TimePoint now);
  // When tick() next has something to do.
  std::optional<TimePoint> next_tick() const;

  // Adapters whose memory is to be let go since the last call: evicted, retired or failed.
  struct Dropped {
    AdapterId id;
    std::int32_t slot;  // that it was in; -1 if none
  };
  std::vector<Dropped> take_dropped() { return std::exchange(dropped_, {}); }

  Place place(AdapterId id) const { return entries_[id].place; }
  std::int32_t slot(AdapterId id) const { return entries_[id].slot; }
  const std::string& name(AdapterId id) const { return entries_[id].name; }
  std::size_t running(AdapterId id) const { return entries_[id].running; }
  std::size_t users(AdapterId id) const { return entries_[id].users; }
  std::size_t slots() const { return slots_.size(); }
  // Which adapter a slot holds; kBase if none.
  AdapterId in_slot(std::size_t slot) const { return slots_[slot]; }
  std::size_t in_memory() const { return memory_.size(); }
  std::size_t size() const { return entries_.size(); }
  std::uint64_t swaps() const { return swaps_; }

 private:
  struct Entry {
    std::string name;
    Place place = Place::kDisk;
    std::int32_t slot = -1;
    std::size_t running = 0;
    std::size_t users = 0;
    std::uint64_t used = 0;  // stamp of the last acquire()
    bool awaited = false;    // loaded for a request that has not yet had its slot
    bool removed = false;
    bool reading = false;  // a read is under way or asked for
    std::optional<TimePoint> ready_at;
  };

  Entry& entry(AdapterId id) { return entries_[id]; }
  void start_load(AdapterId id);
  bool make_memory();
  std::int32_t make_slot();
  void leave_memory(AdapterId id, Place to);
  void retire_if_unused(AdapterId id);

  Limits limits_;
  std::vector<Entry> entries_;
  std::vector<AdapterId> slots_;
  std::vector<AdapterId> memory_;  // loading, in memory or in a slot
  std::deque<AdapterId> to_load_;
  std::vector<Dropped> dropped_;
  std::uint64_t stamp_ = 0;
  std::uint64_t swaps_ = 0;
};

}  // namespace tidegate::lora
