// The part of Storage that makes changes last and then shows them.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "cluster/store/storage.h"
#include "cluster/store/storage_watch.h"
#include "resource/definition.h"
#include "resource/json.h"

namespace tidegate::cluster {
namespace {

// Versions of one group share storage, so the version is no part of it.
std::string stored_name(const Kind& kind) {
  return kind.group.empty() ? std::string(kind.kind) : std::string(kind.group) + "/" + std::string(kind.kind);
}

const Kind* kind_named(const KindRegistry& kinds, const std::string& name) {
  const std::size_t slash = name.find('/');
  return slash == std::string::npos ? kinds.stored({}, name)
                                    : kinds.stored(name.substr(0, slash), name.substr(slash + 1));
}

}  // namespace

Result<std::shared_ptr<Storage>> Storage::open(std::size_t history_max, std::unique_ptr<Database> database) {
  auto storage = std::make_shared<Storage>(history_max, std::move(database));
  if (auto loaded = storage->load(); !loaded) return tl::unexpected(loaded.error());
  Storage* const self = storage.get();
  storage->committer_ = std::jthread([self](const std::stop_token& stop) { self->commit_all(stop); });
  return storage;
}

// Nobody calls any more, so nothing is on its way.
Storage::~Storage() {
  committer_.request_stop();
  if (committer_.joinable()) committer_.join();
}

Result<void> Storage::load() {
  auto rows = database_->load();
  if (!rows) return tl::unexpected(rows.error());
  // Definitions first: they say which kinds the other rows may be of.
  const std::string definitions = stored_name(resource::custom_resource_definition_kind());
  std::stable_partition(rows->begin(), rows->end(), [&](const Row& row) { return row.kind == definitions; });
  const std::lock_guard lock(mutex_);
  loaded_ = revision_ = given_ = std::max<std::uint64_t>(1, database_->revision());
  for (Row& row : *rows) {
    const std::string title = row.kind + " " + row.key.text() + " in " + database_->file().string();
    const Kind* const kind = kind_named(*kinds_, row.kind);
    if (kind == nullptr) {
      return fail(Code::kInvalid, title +
                                      " is of a kind that this version does not know; start the version that "
                                      "stored it");
    }
    auto document = resource::parse_json(row.document, 2 * resource::kObjectBytesMax);
    if (!document) return fail(Code::kInvalid, title + " cannot be read: " + describe(document.error()));
    (*document)["metadata"]["resourceVersion"] = std::to_string(row.revision);
    auto object = resource::Object::make(*std::move(document));
    if (!object) return fail(Code::kInvalid, title + " cannot be read: " + describe(object.error()));
    if (resource::is_definition(*kind)) kinds_->put(*object);
    const Place place{kind, row.key};
    reown(place, nullptr, object->get());
    table(*kind).objects[row.key] = *std::move(object);
  }
  return {};
}

// Until no change of this object is under way.
void Storage::wait_until_free(std::unique_lock<std::mutex>& lock, const Place& place) const {
  while (true) {
    const auto found = pending_.find(place);
    if (found == pending_.end()) return;
    const std::shared_ptr<Batch> batch = found->second->batch;
    lock.unlock();
    batch->wait();
    lock.lock();
  }
}

// Takes a change that is right, and carries the next revision, to its end.
Result<ObjectPtr> Storage::submit(std::unique_lock<std::mutex>& lock, Change change) {
  ++given_;
  const ObjectPtr object = change.object;
  if (database_ == nullptr) {
    std::vector<Event> forgotten;  // freed without the lock
    publish(change, forgotten);
    lock.unlock();
    return object;
  }
  Pending pending{std::move(change), gathering_};
  pending_.emplace(pending.change.place, &pending);
  gathering_->changes.push_back(&pending);
  if (gathering_->changes.size() == 1) gathered_.notify_one();
  lock.unlock();
  pending.batch->wait();
  if (!pending.batch->outcome) return tl::unexpected(pending.batch->outcome.error());
  return object;
}

void Storage::commit_all(const std::stop_token& stop) {
  bool failing = false;
  std::unique_lock lock(mutex_);
  while (gathered_.wait(lock, stop, [&] { return !gathering_->changes.empty(); })) {
    const auto batch = std::exchange(gathering_, std::make_shared<Batch>());
    lock.unlock();
    batch->outcome = commit_batch(*batch);
    // Everybody who writes is told; here once is enough.
    if (failing == batch->outcome.has_value()) {
      failing = !batch->outcome;
      if (failing) log::error("store", "changes are refused", {{"error", describe(batch->outcome.error())}});
      if (!failing) log::info("store", "changes are stored again", {});
    }
    lock.lock();
    for (Pending* pending : batch->changes) {
      pending_.erase(pending->change.place);
      if (batch->outcome) publish(pending->change, pending->forgotten);
    }
    lock.unlock();
    batch->settle();
    lock.lock();
  }
}

Result<void> Storage::commit_batch(const Batch& batch) {
  std::vector<Row> rows;
  rows.reserve(batch.changes.size());
  for (Pending* pending : batch.changes) {
    Change& change = pending->change;
    const auto& [kind, key] = change.place;
    rows.push_back({stored_name(*kind), key, change.object->metadata().resource_version,
                    std::move(change.document), change.document_sum, change.erases});
  }
  return database_->commit(rows, rows.back().revision);
}

void Storage::publish(const Change& change, std::vector<Event>& forgotten) {
  const auto& [kind, key] = change.place;
  Table& objects = table(*kind);
  const auto at = objects.objects.try_emplace(key).first;
  const ObjectPtr before = std::exchange(at->second, change.object);
  reown(change.place, before.get(), change.erases ? nullptr : change.object.get());
  if (resource::is_definition(*kind)) {
    change.erases ? kinds_->erase(key.name) : kinds_->put(change.object);
  }
  EventType type = before == nullptr ? EventType::kAdded : EventType::kModified;
  if (change.erases) {
    objects.objects.erase(at);
    type = EventType::kDeleted;
  }
  revision_ = change.object->metadata().resource_version;
  record(objects, {type, change.object, revision_, before}, forgotten);
}

// Keeps the index of owners.
void Storage::reown(const Place& place, const resource::Object* before, const resource::Object* after) {
  if (before != nullptr) {
    for (const auto& owner : before->metadata().owner_references) {
      const auto found = owned_.find(owner.uid);
      if (found == owned_.end()) continue;
      found->second.erase(place);
      if (found->second.empty()) owned_.erase(found);
    }
  }
  if (after == nullptr) return;
  for (const auto& owner : after->metadata().owner_references) owned_[owner.uid].insert(place);
}

void Storage::record(Table& table, Event event, std::vector<Event>& forgotten) {
  table.history.push_back(std::move(event));
  while (table.history.size() > history_max_) {
    table.dropped_through = table.history.front().revision;
    forgotten.push_back(std::move(table.history.front()));
    table.history.pop_front();
  }
  table.changed.notify_all();
  for (StorageWatch* watch : std::exchange(table.asleep, {})) watch->options_.on_ready();
}

}  // namespace tidegate::cluster
