#include "cluster/store/storage_watch.h"

#include <algorithm>

namespace tidegate::cluster {

StorageWatch::~StorageWatch() {
  const std::lock_guard lock(storage_->mutex_);
  table_.asleep.erase(this);
}

const Event* StorageWatch::look() {
  auto at =
      std::upper_bound(table_.history.begin(), table_.history.end(), position_,
                       [](std::uint64_t position, const Event& event) { return position < event.revision; });
  for (; at != table_.history.end(); ++at) {
    if (wants(*at)) return &*at;
    position_ = at->revision;
  }
  return nullptr;
}

Result<std::optional<Event>> StorageWatch::next(Duration timeout) {
  std::unique_lock lock(storage_->mutex_);
  table_.asleep.erase(this);
  const Event* found = nullptr;
  const auto something = [&] {
    if (cancelled_ || position_ < table_.dropped_through) return true;
    found = look();
    return found != nullptr;
  };
  if (!something() && timeout > Duration::zero()) table_.changed.wait_for(lock, timeout, something);
  if (cancelled_) return fail(Code::kCancelled, "the watch was cancelled");
  if (found != nullptr) {
    position_ = told_ = found->revision;
    return std::optional<Event>(*found);
  }
  if (position_ < table_.dropped_through) {
    return fail(Code::kGone, "too old resource version: " + std::to_string(position_) + " (" +
                                 std::to_string(table_.dropped_through + 1) + "); list again");
  }
  if (options_.on_ready) table_.asleep.insert(this);
  // Nothing of this kind lies between here and the present.
  if (!options_.bookmarks || told_ == storage_->revision_) return std::optional<Event>();
  position_ = told_ = storage_->revision_;
  return std::optional<Event>(Event{EventType::kBookmark, nullptr, position_});
}

void StorageWatch::cancel() {
  {
    const std::lock_guard lock(storage_->mutex_);
    cancelled_ = true;
    if (table_.asleep.erase(this) > 0) options_.on_ready();
  }
  table_.changed.notify_all();
}

}  // namespace tidegate::cluster
