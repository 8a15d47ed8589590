// A local copy of all objects of one kind, kept fresh by a watch: what controllers, the gateway and the
// machine read.
//
//   Informer pools(client, kind, [&](const Change&) { signal.notify(); });
//   std::jthread thread([&](std::stop_token stop) { pools.run(stop); });
//
// It lists, then watches from there. When the watch falls too far behind (kGone) it lists again and reports
// the difference, so that nobody downstream notices more than a jump; when the other side is away it tries
// again with a growing delay and keeps serving what it has.
//
// Thread: run() or step() belong to one thread, which also runs the callback; everything else is for any
// thread.

#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "cluster/client.h"

namespace tidegate::cluster {

struct Change {
  ObjectPtr before;  // null: added
  ObjectPtr after;   // null: deleted
  const resource::Object& object() const { return after != nullptr ? *after : *before; }
};

// How long to wait after the n-th failure in a row (from 1): 100 ms, doubling, up to 10 s.
Duration retry_delay(int failures);

class Informer {
 public:
  // Called on the informer's thread, after the copy holds the change. Must not block for long.
  using OnChange = std::function<void(const Change&)>;

  // The client and the kind must outlive the informer.
  Informer(Client& client, const Kind& kind, OnChange on_change = {});

  // Works until asked to stop.
  void run(const std::stop_token& stop);

  // One step of the work, for tests and for those who have a thread already: lists if need be, else waits up
  // to `timeout` for one change. Errors: those of the client, after which the next step starts over.
  Result<void> step(Duration timeout);

  // The first list is in.
  bool synced() const { return synced_; }

  ObjectPtr get(const Key& key) const;  // null if there is none
  std::vector<ObjectPtr> list(std::string_view namespace_ = {}) const;
  const Kind& kind() const { return kind_; }

 private:
  Result<void> relist();
  void apply(const Event& event);

  Client& client_;
  const Kind& kind_;
  const OnChange on_change_;
  std::atomic<bool> synced_{false};

  mutable std::mutex mutex_;
  std::map<Key, ObjectPtr> objects_;  // guarded by mutex_
  std::shared_ptr<Watch> watch_;      // guarded by mutex_; null: list first
};

}  // namespace tidegate::cluster
