#include "machine/worker.h"

#include <algorithm>

namespace tidegate::machine {

void Worker::start() {
  stopping_ = false;
  thread_ = std::thread([this] { run(); });
}

void Worker::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Worker::post(std::string key, std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    const auto same = key.empty() ? items_.end()
                                  : std::find_if(items_.begin(), items_.end(),
                                                 [&](const Item& item) { return item.key == key; });
    if (same != items_.end()) {
      same->job = std::move(job);
      return;
    }
    items_.push_back({std::move(key), std::move(job)});
  }
  changed_.notify_one();
}

void Worker::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !items_.empty(); });
    if (items_.empty()) return;
    const Item item = std::move(items_.front());
    items_.pop_front();
    lock.unlock();
    item.job();
    lock.lock();
  }
}

}  // namespace tidegate::machine
