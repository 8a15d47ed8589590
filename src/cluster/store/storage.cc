#include "cluster/store/storage.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace tidegate::cluster {

// A cursor over the history of one kind.
class StorageWatch final : public Watch {
 public:
  StorageWatch(std::shared_ptr<Storage> storage, Storage::Table& table, std::uint64_t position)
      : storage_(std::move(storage)), table_(table), position_(position) {}

  Result<std::optional<Event>> next(Duration timeout) override {
    std::unique_lock lock(storage_->mutex_);
    const auto something = [&] {
      return cancelled_ || position_ < table_.dropped_through ||
             (!table_.history.empty() && table_.history.back().revision > position_);
    };
    if (!something() && timeout > Duration::zero()) table_.changed.wait_for(lock, timeout, something);
    if (cancelled_) return fail(Code::kCancelled, "the watch was cancelled");
    if (position_ < table_.dropped_through) {
      return fail(Code::kGone, "too old resource version: " + std::to_string(position_) + " (" +
                                   std::to_string(table_.dropped_through + 1) + "); list again");
    }
    const auto found =
        std::upper_bound(table_.history.begin(), table_.history.end(), position_,
                         [](std::uint64_t at, const Event& event) { return at < event.revision; });
    if (found == table_.history.end()) return std::optional<Event>();
    position_ = found->revision;
    return std::optional<Event>(*found);
  }

  void cancel() override {
    {
      const std::lock_guard lock(storage_->mutex_);
      cancelled_ = true;
    }
    table_.changed.notify_all();
  }

 private:
  std::shared_ptr<Storage> storage_;
  Storage::Table& table_;  // lives as long as the storage
  std::uint64_t position_;
  bool cancelled_ = false;  // guarded by storage_->mutex_
};

std::string resource_name(const Kind& kind, std::string_view name) {
  std::string text(kind.plural);
  if (!kind.group.empty()) text += "." + std::string(kind.group);
  return text + " \"" + std::string(name) + "\"";
}

tl::unexpected<Error> not_found(const Kind& kind, std::string_view name) {
  return fail(Code::kNotFound, resource_name(kind, name) + " not found");
}

tl::unexpected<Error> modified(const Kind& kind, std::string_view name) {
  return fail(Code::kConflict,
              "Operation cannot be fulfilled on " + resource_name(kind, name) +
                  ": the object has been modified; please apply your changes to the latest version "
                  "and try again");
}

Storage::Table& Storage::table(const Kind& kind) {
  auto& slot = tables_[&kind];
  if (slot == nullptr) slot = std::make_unique<Table>();
  return *slot;
}

ObjectPtr Storage::find(const Kind& kind, const Key& key) const {
  const std::lock_guard lock(mutex_);
  const auto table = tables_.find(&kind);
  if (table == tables_.end()) return nullptr;
  const auto found = table->second->objects.find(key);
  return found == table->second->objects.end() ? nullptr : found->second;
}

List Storage::list(const Kind& kind, std::string_view namespace_) const {
  List result;
  const std::lock_guard lock(mutex_);
  result.revision = revision_;
  const auto table = tables_.find(&kind);
  if (table == tables_.end()) return result;
  const auto& objects = table->second->objects;
  auto at = namespace_.empty() ? objects.begin() : objects.lower_bound(Key{std::string(namespace_), {}});
  for (; at != objects.end(); ++at) {
    if (!namespace_.empty() && at->first.namespace_ != namespace_) break;
    result.items.push_back(at->second);
  }
  return result;
}

std::uint64_t Storage::revision() const {
  const std::lock_guard lock(mutex_);
  return revision_;
}

Result<void> Storage::expect(const Table& table, const Kind& kind, const Key& key,
                             std::uint64_t expected) const {
  const auto found = table.objects.find(key);
  if (found == table.objects.end()) {
    if (expected == 0) return {};
    return not_found(kind, key.name);
  }
  if (expected == 0) return fail(Code::kConflict, resource_name(kind, key.name) + " already exists");
  if (found->second->metadata().resource_version != expected) return modified(kind, key.name);
  return {};
}

void Storage::record(Table& table, Event event) {
  table.history.push_back(std::move(event));
  while (table.history.size() > history_max_) {
    table.dropped_through = table.history.front().revision;
    table.history.pop_front();
  }
  table.changed.notify_all();
}

Result<ObjectPtr> Storage::put(const Kind& kind, const Key& key, std::uint64_t expected, Json document) {
  const std::lock_guard lock(mutex_);
  Table& objects = table(kind);
  if (auto right = expect(objects, kind, key, expected); !right) return tl::unexpected(right.error());
  const std::uint64_t revision = revision_ + 1;
  document["metadata"]["resourceVersion"] = std::to_string(revision);
  auto object = resource::Object::make(std::move(document));
  if (!object) return object;
  revision_ = revision;
  objects.objects.insert_or_assign(key, *object);
  record(objects, {expected == 0 ? EventType::kAdded : EventType::kModified, *object, revision});
  return object;
}

Result<ObjectPtr> Storage::erase(const Kind& kind, const Key& key, std::uint64_t expected) {
  const std::lock_guard lock(mutex_);
  Table& objects = table(kind);
  if (expected == 0) return not_found(kind, key.name);
  if (auto right = expect(objects, kind, key, expected); !right) return tl::unexpected(right.error());
  const std::uint64_t revision = revision_ + 1;
  const auto found = objects.objects.find(key);
  Json document = found->second->json();
  document["metadata"]["resourceVersion"] = std::to_string(revision);
  auto object = resource::Object::make(std::move(document));
  if (!object) return object;
  revision_ = revision;
  objects.objects.erase(found);
  record(objects, {EventType::kDeleted, *object, revision});
  return object;
}

Result<std::unique_ptr<Watch>> Storage::watch(const Kind& kind, std::uint64_t after_revision) {
  const std::lock_guard lock(mutex_);
  Table& objects = table(kind);
  if (after_revision < objects.dropped_through || after_revision > revision_) {
    return fail(Code::kGone, "too old resource version: " + std::to_string(after_revision) + " (" +
                                 std::to_string(objects.dropped_through + 1) + "); list again");
  }
  return std::make_unique<StorageWatch>(shared_from_this(), objects, after_revision);
}

std::vector<std::pair<const Kind*, Key>> Storage::owned_by(const std::string& uid) const {
  std::vector<std::pair<const Kind*, Key>> result;
  const std::lock_guard lock(mutex_);
  for (const auto& [kind, objects] : tables_) {
    for (const auto& [key, object] : objects->objects) {
      const auto& owners = object->metadata().owner_references;
      if (std::any_of(owners.begin(), owners.end(), [&](const auto& owner) { return owner.uid == uid; })) {
        result.emplace_back(kind, key);
      }
    }
  }
  return result;
}

std::vector<std::pair<const Kind*, Key>> Storage::inside(std::string_view namespace_) const {
  std::vector<std::pair<const Kind*, Key>> result;
  const std::lock_guard lock(mutex_);
  for (const auto& [kind, objects] : tables_) {
    if (!kind->namespaced) continue;
    auto at = objects->objects.lower_bound(Key{std::string(namespace_), {}});
    for (; at != objects->objects.end() && at->first.namespace_ == namespace_; ++at) {
      result.emplace_back(kind, at->first);
    }
  }
  return result;
}

}  // namespace tidegate::cluster
