#include "cluster/informer.h"

#include <algorithm>
#include <condition_variable>

#include "base/log.h"

namespace tidegate::cluster {

Duration retry_delay(int failures) {
  constexpr Duration kFirst = std::chrono::milliseconds(100);
  constexpr Duration kLast = std::chrono::seconds(10);
  const int doublings = std::clamp(failures - 1, 0, 10);
  return std::min(kLast, kFirst * (1 << doublings));
}

Informer::Informer(Client& client, const Kind& kind, OnChange on_change)
    : client_(client), kind_(kind), on_change_(std::move(on_change)) {}

void Informer::run(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  const std::stop_callback cancel(stop, [this] {
    const std::lock_guard lock(mutex_);
    if (watch_ != nullptr) watch_->cancel();
  });
  int failures = 0;
  while (!stop.stop_requested()) {
    // A cancel that falls between two watches would be missed; a short wait bounds what that costs.
    const auto done = step(std::chrono::milliseconds(500));
    if (done) {
      failures = 0;
      continue;
    }
    if (stop.stop_requested()) return;
    if (done.error().code == Code::kGone) continue;
    ++failures;
    log::warning("cluster", "cannot follow objects",
                 {{"kind", kind_.plural}, {"failures", failures}, {"error", describe(done.error())}});
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, retry_delay(failures), [] { return false; });
  }
}

Result<void> Informer::step(Duration timeout) {
  std::shared_ptr<Watch> watch;
  {
    const std::lock_guard lock(mutex_);
    watch = watch_;
  }
  if (watch == nullptr) return relist();
  auto event = watch->next(timeout);
  if (!event) {
    const std::lock_guard lock(mutex_);
    watch_ = nullptr;
    return tl::unexpected(event.error());
  }
  if (*event && (*event)->type != EventType::kBookmark) apply(**event);
  return {};
}

Result<void> Informer::relist() {
  auto listed = client_.list(kind_);
  if (!listed) return tl::unexpected(listed.error());
  auto watch = client_.watch(kind_, listed->revision);
  if (!watch) return tl::unexpected(watch.error());

  std::map<Key, ObjectPtr> fresh;
  for (ObjectPtr& object : listed->items) fresh.emplace(key_of(*object), std::move(object));
  std::vector<Change> changes;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, before] : objects_) {
      if (!fresh.contains(key)) changes.push_back({before, nullptr});
    }
    for (const auto& [key, after] : fresh) {
      const auto found = objects_.find(key);
      const ObjectPtr before = found == objects_.end() ? nullptr : found->second;
      const bool same_object = before != nullptr && before->metadata().uid == after->metadata().uid;
      if (before != nullptr && !same_object) {
        changes.push_back({before, nullptr});
        changes.push_back({nullptr, after});
      } else if (before == nullptr ||
                 before->metadata().resource_version != after->metadata().resource_version) {
        changes.push_back({before, after});
      }
    }
    objects_ = std::move(fresh);
    watch_ = *std::move(watch);
  }
  synced_ = true;
  if (on_change_) {
    for (const Change& change : changes) on_change_(change);
  }
  return {};
}

void Informer::apply(const Event& event) {
  Change change;
  {
    const std::lock_guard lock(mutex_);
    const Key key = key_of(*event.object);
    const auto found = objects_.find(key);
    if (found != objects_.end()) change.before = found->second;
    if (event.type == EventType::kDeleted) {
      // What was deleted may never have been seen here, when it came and went during a list.
      if (change.before == nullptr) return;
      objects_.erase(found);
    } else {
      change.after = event.object;
      objects_.insert_or_assign(key, event.object);
    }
  }
  if (on_change_) on_change_(change);
}

ObjectPtr Informer::get(const Key& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = objects_.find(key);
  return found == objects_.end() ? nullptr : found->second;
}

std::vector<ObjectPtr> Informer::list(std::string_view namespace_) const {
  std::vector<ObjectPtr> result;
  const std::lock_guard lock(mutex_);
  auto at = namespace_.empty() ? objects_.begin() : objects_.lower_bound(Key{std::string(namespace_), {}});
  for (; at != objects_.end(); ++at) {
    if (!namespace_.empty() && at->first.namespace_ != namespace_) break;
    result.push_back(at->second);
  }
  return result;
}

}  // namespace tidegate::cluster
