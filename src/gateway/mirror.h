// Copies of requests for others (RequestMirror): sent beside the request, never in its way.
//
// A copy has its own bytes, is tried once, and its answer is read and dropped. When too many are under way,
// or its pool has no healthy endpoint, it is left out; nothing of that reaches the client.
//
// Thread: one worker's.

#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <unordered_set>

#include "base/random.h"
#include "gateway/fleet/live.h"
#include "gateway/route/filters.h"
#include "gateway/upstream/pool.h"
#include "net/task.h"

namespace tidegate::gateway {

struct Walk;

class Mirrors {
 public:
  Mirrors(net::Loop& loop, upstream::Pool& upstream) : loop_(loop), upstream_(upstream) {}

  // Sends a whole request. `is_head`: of method HEAD.
  void send(std::string request, bool is_head, std::shared_ptr<fleet::Live> live, TimePoint deadline);

  // Cuts what is under way; returns when it has ended.
  net::Task<void> stop();

  // Whether there is room for one more of that size.
  bool takes(std::size_t bytes) const;

 private:
  net::Task<void> carry(std::string request, bool is_head, std::shared_ptr<fleet::Live> live,
                        TimePoint deadline);
  net::Task<void> exchange(upstream::Connection& connection, std::string& request, bool is_head);

  net::Loop& loop_;
  upstream::Pool& upstream_;
  std::size_t bytes_ = 0;  // of requests under way
  bool stopped_ = false;
  std::unordered_set<upstream::Connection*> open_;
  net::TaskGroup tasks_;
};

// Sends the copies that the walk's filters ask for. Requires: the pool is chosen and the model resolved.
void send_mirrors(Walk& walk);

}  // namespace tidegate::gateway
