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

void Storage::Pending::wait() {
  std::unique_lock lock(own_mutex_);
  settled_.wait(lock, [&] { return is_settled_; });
}

void Storage::Pending::wake() {
  {
    const std::lock_guard lock(own_mutex_);
    is_settled_ = true;
  }
  settled_.notify_all();
}

// Until no change of this object is under way.
void Storage::wait_until_free(std::unique_lock<std::mutex>& lock, const Place& place) const {
  while (true) {
    const auto found = pending_.find(place);
    if (found == pending_.end()) return;
    const std::shared_ptr<Pending> other = found->second;
    lock.unlock();
    other->wait();
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
  const auto pending = std::make_shared<Pending>(std::move(change));
  pending_.emplace(pending->change.place, pending);
  queue_.push_back(pending);
  if (queue_.size() == 1) gathered_.notify_one();
  lock.unlock();
  pending->wait();
  const auto batch = std::move(pending->batch);  // which holds `pending`
  wake(*batch, 2 * pending->place_in_batch + 1);
  wake(*batch, 2 * pending->place_in_batch + 2);
  pending->forgotten.clear();
  if (!pending->outcome) return tl::unexpected(pending->outcome.error());
  return object;
}

void Storage::commit_all(const std::stop_token& stop) {
  bool failing = false;
  std::unique_lock lock(mutex_);
  while (gathered_.wait(lock, stop, [&] { return !queue_.empty(); })) {
    const auto batch = std::make_shared<const Batch>(std::exchange(queue_, {}));
    lock.unlock();
    const Result<void> committed = commit_batch(*batch);
    // Everybody who writes is told; here once is enough.
    if (failing == committed.has_value()) {
      failing = !committed;
      if (failing) log::error("store", "changes are refused", {{"error", describe(committed.error())}});
      if (!failing) log::info("store", "changes are stored again", {});
    }
    lock.lock();
    for (std::size_t i = 0; i < batch->size(); ++i) {
      Pending& pending = *(*batch)[i];
      pending_.erase(pending.change.place);
      if (committed) publish(pending.change, pending.forgotten);
      pending.batch = batch;
      pending.place_in_batch = i;
      pending.outcome = committed;
    }
    lock.unlock();
    wake(*batch, 0);
    lock.lock();
  }
}

// Each one that wakes wakes two more. The thread that commits wakes only the first and goes on: to wake
// everybody took it a seventh of its time. And those who are woken while it waits for the disk find its core
// free.
void Storage::wake(const Batch& batch, std::size_t place) {
  if (place < batch.size()) batch[place]->wake();
}

Result<void> Storage::commit_batch(const Batch& batch) {
  std::vector<Row> rows;
  rows.reserve(batch.size());
  for (const auto& pending : batch) {
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
