// What a controller still has to look at: keys, each at most once, none by two threads at a time.
//
//   while (auto key = queue.take(clock.now())) {
//     if (reconcile(*key)) queue.done(*key); else queue.retry(*key, clock.now());
//   }
//   signal.wait(queue.next_due() ...);
//
// A key that is added while it is worked on is handed out once more afterwards. A key that fails comes back
// after a delay that doubles with each failure in a row.
//
// Thread: any.

#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "base/clock.h"
#include "cluster/client.h"

namespace tidegate::cluster {

struct RetryRule {
  Duration first = std::chrono::milliseconds(50);
  Duration longest = std::chrono::seconds(60);
};

class WorkQueue {
 public:
  explicit WorkQueue(RetryRule rule = {}) : rule_(rule) {}

  // Due at `when`, or earlier if it is already. A key that is being worked on becomes due after done().
  void add(const Key& key, TimePoint when);

  // The key that has been due the longest, if one is due by `now`. The caller ends with done() or retry().
  std::optional<Key> take(TimePoint now);

  // It went well: failures are forgotten.
  void done(const Key& key);
  // It did not: due again after the delay.
  void retry(const Key& key, TimePoint now);

  // When the next key is due; empty if none waits.
  std::optional<TimePoint> next_due() const;
  std::size_t waiting() const;

 private:
  void schedule(const Key& key, TimePoint when);

  const RetryRule rule_;
  mutable std::mutex mutex_;
  std::uint64_t sequence_ = 0;
  struct Due {
    TimePoint when;
    std::uint64_t order;
    auto operator<=>(const Due&) const = default;
  };
  std::map<Key, Due> due_;
  std::set<std::pair<Due, Key>> order_;
  std::map<Key, std::optional<TimePoint>> working_;  // with the time it was added again for
  std::map<Key, int> failures_;
};

}  // namespace tidegate::cluster
