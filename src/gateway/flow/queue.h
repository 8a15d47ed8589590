// The requests of one pool that wait on one worker, and who of them is next. A pure state machine: time comes
// with every call.
//
//   priority   higher first, always
//   tenant     within a priority each tenant gets the same share by cost, however many requests it has here
//   arrival    within a tenant
//
// Fairness is start-time fair queueing: a request's tag is when its tenant's earlier ones would be done if
// every tenant were served at the same rate, and the smallest tag is next. A tenant that was away starts at
// the present, it saves nothing up.
//
// Thread: a value of one worker.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"

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

  // The next to go, taken out. Empty if nobody waits.
  std::optional<Id> pop();
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

 private:
  struct Tenant {
    double finish = 0;  // of its last request, in the band's time
    std::uint32_t waiting = 0;
  };
  struct Band {
    std::set<std::pair<double, Id>> order;  // by tag
    std::map<std::string, Tenant, std::less<>> tenants;
    double time = 0;  // the tag that was served last
  };
  struct Entry {
    std::int32_t priority;
    double tag;
    double cost;
    TimePoint deadline;
    std::map<std::string, Tenant, std::less<>>::iterator tenant;
  };
  enum class How { kServed, kGone };
  void take_out(Id id, How how);

  std::map<std::int32_t, Band, std::greater<>> bands_;
  std::unordered_map<Id, Entry> entries_;
  std::set<std::pair<TimePoint, Id>> deadlines_;
  Id next_ = 1;
};

}  // namespace tidegate::flow
