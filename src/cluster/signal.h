// "Something changed": lets one thread wait for whatever several informers, timers or callers have to say.
//
// Notifications are not counted: a hundred before a wait end it once.
//
// Thread: notify() from any; one thread waits.

#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>

#include "base/clock.h"

namespace tidegate::cluster {

class Signal {
 public:
  void notify() {
    {
      const std::lock_guard lock(mutex_);
      notified_ = true;
    }
    changed_.notify_one();
  }

  // Returns true if notified since the last wait, false when `timeout` has passed or `stop` was asked for.
  bool wait(Duration timeout, const std::stop_token& stop = {}) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, timeout, [this] { return notified_; });
    const bool notified = notified_;
    notified_ = false;
    return notified;
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool notified_ = false;  // guarded by mutex_
};

}  // namespace tidegate::cluster
