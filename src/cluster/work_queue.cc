#include "cluster/work_queue.h"

#include <algorithm>

namespace tidegate::cluster {

void WorkQueue::schedule(const Key& key, TimePoint when) {
  const auto found = due_.find(key);
  if (found != due_.end()) {
    if (found->second.when <= when) return;
    order_.erase({found->second, key});
    due_.erase(found);
  }
  const Due due{when, sequence_++};
  due_.emplace(key, due);
  order_.emplace(due, key);
}

void WorkQueue::add(const Key& key, TimePoint when) {
  const std::lock_guard lock(mutex_);
  const auto working = working_.find(key);
  if (working == working_.end()) {
    schedule(key, when);
  } else if (!working->second || *working->second > when) {
    working->second = when;
  }
}

std::optional<Key> WorkQueue::take(TimePoint now) {
  const std::lock_guard lock(mutex_);
  if (order_.empty() || order_.begin()->first.when > now) return {};
  Key key = order_.begin()->second;
  order_.erase(order_.begin());
  due_.erase(key);
  working_.emplace(key, std::nullopt);
  return key;
}

void WorkQueue::done(const Key& key) {
  const std::lock_guard lock(mutex_);
  failures_.erase(key);
  const auto working = working_.find(key);
  if (working == working_.end()) return;
  const auto again = working->second;
  working_.erase(working);
  if (again) schedule(key, *again);
}

void WorkQueue::retry(const Key& key, TimePoint now) {
  const std::lock_guard lock(mutex_);
  const int doublings = std::min(failures_[key]++, 20);
  Duration delay = rule_.first;
  for (int i = 0; i < doublings && delay < rule_.longest; ++i) delay *= 2;
  const auto working = working_.find(key);
  TimePoint when = now + std::min(delay, rule_.longest);
  if (working != working_.end()) {
    // A change that arrived meanwhile may be what was missing.
    if (working->second) when = std::min(when, *working->second);
    working_.erase(working);
  }
  schedule(key, when);
}

std::optional<TimePoint> WorkQueue::next_due() const {
  const std::lock_guard lock(mutex_);
  if (order_.empty()) return {};
  return order_.begin()->first.when;
}

std::size_t WorkQueue::waiting() const {
  const std::lock_guard lock(mutex_);
  return order_.size();
}

}  // namespace tidegate::cluster
