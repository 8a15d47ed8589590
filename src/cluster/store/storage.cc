#include "cluster/store/storage.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cluster/store/page.h"
#include "cluster/store/storage_watch.h"
#include "resource/custom_kind.h"
#include "resource/json.h"

namespace tidegate::cluster {

using resource::stored_as;

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

Storage::Storage(std::size_t history_max, std::unique_ptr<Database> database)
    : history_max_(history_max), database_(std::move(database)) {}

Storage::Table& Storage::table(const Kind& kind) {
  auto& slot = tables_[&stored_as(kind)];
  if (slot == nullptr) slot = std::make_unique<Table>(loaded_);
  return *slot;
}

ObjectPtr Storage::find_locked(const Kind& kind, const Key& key) const {
  const auto table = tables_.find(&stored_as(kind));
  if (table == tables_.end()) return nullptr;
  const auto found = table->second->objects.find(key);
  return found == table->second->objects.end() ? nullptr : found->second;
}

ObjectPtr Storage::find(const Kind& kind, const Key& key) const {
  const std::lock_guard lock(mutex_);
  return find_locked(kind, key);
}

bool Storage::View::empty(std::string_view namespace_) const {
  const Key first{std::string(namespace_), {}};
  const bool coming = std::any_of(storage_.pending_.begin(), storage_.pending_.end(), [&](const auto& entry) {
    return !entry.second->change.erases && entry.first.second.namespace_ == namespace_;
  });
  return !coming && std::none_of(storage_.tables_.begin(), storage_.tables_.end(), [&](const auto& entry) {
    const auto at = entry.second->objects.lower_bound(first);
    return entry.first->namespaced && at != entry.second->objects.end() && at->first.namespace_ == namespace_;
  });
}

bool Storage::View::empty(const Kind& kind) const {
  const Kind* const stored = &stored_as(kind);
  const bool coming = std::any_of(storage_.pending_.begin(), storage_.pending_.end(), [&](const auto& entry) {
    return !entry.second->change.erases && entry.first.first == stored;
  });
  const auto table = storage_.tables_.find(stored);
  return !coming && (table == storage_.tables_.end() || table->second->objects.empty());
}

std::map<Key, ObjectPtr> Storage::state_at(const Table& table, std::uint64_t revision) {
  std::map<Key, ObjectPtr> state = table.objects;
  // Backwards, so that the oldest change after `revision` has the last word.
  for (auto event = table.history.rbegin(); event != table.history.rend() && event->revision > revision;
       ++event) {
    if (event->before == nullptr) {
      state.erase(key_of(*event->object));
    } else {
      state.insert_or_assign(key_of(*event->object), event->before);
    }
  }
  return state;
}

Result<List> Storage::list(const Kind& kind, const ListOptions& options) const {
  const auto position = read_position(options.continue_);
  if (!position) return tl::unexpected(position.error());
  const std::lock_guard lock(mutex_);
  const std::uint64_t revision = *position ? (*position)->revision : revision_;
  const auto table = tables_.find(&stored_as(kind));
  const std::uint64_t oldest = table == tables_.end() ? loaded_ : table->second->dropped_through;
  if (revision < oldest || revision > revision_) return page_gone();
  if (table == tables_.end()) return List{.items = {}, .revision = revision};
  const auto& history = table->second->history;
  if (history.empty() || history.back().revision <= revision) {
    return cut_page(table->second->objects, options, *position, revision);
  }
  return cut_page(state_at(*table->second, revision), options, *position, revision);
}

std::uint64_t Storage::revision() const {
  const std::lock_guard lock(mutex_);
  return revision_;
}

Result<void> Storage::expect(const Kind& kind, const Key& key, std::uint64_t expected,
                             const Guard& guard) const {
  const ObjectPtr found = find_locked(kind, key);
  if (found == nullptr && expected != 0) return not_found(kind, key.name);
  if (found != nullptr && expected == 0) {
    return fail(Code::kConflict, resource_name(kind, key.name) + " already exists");
  }
  if (found != nullptr && found->metadata().resource_version != expected) return modified(kind, key.name);
  return guard ? guard(View(*this)) : Result<void>();
}

Result<void> Storage::check(const Kind& kind, const Key& key, std::uint64_t expected,
                            const Guard& guard) const {
  const std::lock_guard lock(mutex_);
  return expect(kind, key, expected, guard);
}

Result<ObjectPtr> Storage::put(const Kind& kind, const Key& key, std::uint64_t expected, Json document,
                               const Guard& guard) {
  // Under the lock only what needs it: everything else takes a while.
  std::string text;
  if (database_ != nullptr) text = resource::to_text(document);
  const std::uint32_t sum = text_checksum(text);
  auto object = resource::Object::draft(std::move(document));
  if (!object) return tl::unexpected(object.error());
  const Place place{&stored_as(kind), key};
  std::unique_lock lock(mutex_);
  wait_until_free(lock, place);
  if (auto right = expect(kind, key, expected, guard); !right) return tl::unexpected(right.error());
  (*object)->number(given_ + 1);
  return submit(lock, {place, *std::move(object), false, std::move(text), sum});
}

Result<ObjectPtr> Storage::erase(const Kind& kind, const Key& key, std::uint64_t expected,
                                 const Guard& guard) {
  std::unique_lock lock(mutex_);
  const Place place{&stored_as(kind), key};
  wait_until_free(lock, place);
  if (expected == 0) return not_found(kind, key.name);
  if (auto right = expect(kind, key, expected, guard); !right) return tl::unexpected(right.error());
  Json document = find_locked(kind, key)->json();
  document["metadata"]["resourceVersion"] = std::to_string(given_ + 1);
  auto object = resource::Object::make(std::move(document));
  if (!object) return object;
  return submit(lock, {place, *std::move(object), true, {}, 0});
}

Result<std::unique_ptr<Watch>> Storage::watch(const Kind& kind, std::uint64_t after_revision,
                                              WatchOptions options) {
  const std::lock_guard lock(mutex_);
  Table& objects = table(kind);
  if (after_revision < objects.dropped_through || after_revision > revision_) {
    return fail(Code::kGone, "too old resource version: " + std::to_string(after_revision) + " (" +
                                 std::to_string(objects.dropped_through + 1) + "); list again");
  }
  if (!kind.namespaced) options.namespace_.clear();
  return std::make_unique<StorageWatch>(shared_from_this(), objects, after_revision, std::move(options));
}

std::vector<std::pair<const Kind*, Key>> Storage::owned_by(const std::string& uid) const {
  const std::lock_guard lock(mutex_);
  const auto found = owned_.find(uid);
  if (found == owned_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

std::vector<ObjectPtr> Storage::everything() const {
  std::vector<ObjectPtr> result;
  const std::lock_guard lock(mutex_);
  for (const auto& [kind, objects] : tables_) {
    for (const auto& [key, object] : objects->objects) result.push_back(object);
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
