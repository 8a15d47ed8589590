// The requests of one pool that wait on one worker, and who of them is next. A pure state machine: time comes
// with every call.
//
//   priority   higher first, always
//   tenant     within a priority each tenant gets the same share by true cost (shares.h)
//   arrival    within a tenant
//
// A request that was let go is remembered until it is settled, so that its tenant pays what it did cost.
//
// Thread: a value of one worker.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "gateway/flow/shares.h"

namespace tidegate::flow {

struct Ask {
  std::int32_t priority = 0;
  std::string_view tenant;  // any text; empty is a tenant too
  double cost = 1;          // tokens, as far as one can tell beforehand; at least 1
  TimePoint deadline = TimePoint::max();
};

class Queue {
 public:
  using Id = std::uint64_t;  // unique over the queue's life, rising

  Id push(const Ask& ask);

  // The next to go, taken out. Empty if nobody waits. Requires: settle() follows, sooner or later.
  std::optional<Id> pop();
  // One that went is over, and has cost that many tokens; without a number what it was to cost stands.
  void settle(Id id, std::optional<double> used);
  // One whose time is over, taken out. Empty if there is none.
  std::optional<Id> pop_late(TimePoint now);
  // It left by itself. False if it is not here.
  bool erase(Id id);

  // The highest priority that waits; empty if nobody waits.
  std::optional<std::int32_t> top() const;
  // When the next one's time is over.
  TimePoint next_deadline() const;

  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  // Nobody waits, and whoever went is settled.
  bool idle() const { return bands_.empty(); }

 private:
  struct Entry {
    std::int32_t priority;
    TimePoint deadline;
  };
  void take_out(Id id);
  void drop_if_idle(std::int32_t priority);

  std::map<std::int32_t, Shares, std::greater<>> bands_;  // by priority
  std::unordered_map<Id, Entry> entries_;         // that wait
  std::unordered_map<Id, std::int32_t> running_;  // that went, by priority
  std::set<std::pair<TimePoint, Id>> deadlines_;
  Id next_ = 1;
};

}  // namespace tidegate::flow
