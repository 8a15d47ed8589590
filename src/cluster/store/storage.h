// What the cluster holds: objects by kind and key, one revision counter, and per kind the recent changes. All
// of it is in memory; where there is a Database, a change is published only once that has committed it.
//
// Storage knows nothing of rules: it puts and erases what it is told, if what stands there is still what the
// caller saw. Every change gets the next revision, is written into metadata.resourceVersion, and wakes the
// watches of its kind.
//
// With a Database, writers queue their changes and one thread commits all that have gathered, as one; so many
// writers cost hardly more than one. Only one change of an object is under way at a time: later writers of
// that object wait, and so a commit that fails fails those who wrote in it and nobody else. Readers and
// watches see what is committed. A revision that was given to a failed change is not given again.
//
// Watches read a ring of recent changes that all watches of a kind share. A watch costs a cursor, a slow one
// costs nothing more, and one that falls behind the ring is told kGone and lists again; writers never wait
// for readers. Pages of a list are cut from the same ring: it knows what stood where at an earlier revision.
//
// Thread: any. A watch keeps the storage, and the file, until it is gone.

#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cluster/client.h"
#include "cluster/store/database.h"
#include "cluster/store/kind_registry.h"

namespace tidegate::cluster {

class StorageWatch;

class Storage : public std::enable_shared_from_this<Storage> {
 public:
  // What a guard may ask while everything stands still.
  class View {
   public:
    ObjectPtr find(const Kind& kind, const Key& key) const { return storage_.find_locked(kind, key); }
    // Whether a namespace holds nothing and nothing is on its way into it.
    bool empty(std::string_view namespace_) const;
    // Whether there is no object of a kind and none on its way.
    bool empty(const Kind& kind) const;

   private:
    friend class Storage;
    explicit View(const Storage& storage) : storage_(storage) {}
    const Storage& storage_;
  };
  using Guard = std::function<Result<void>(const View&)>;

  // `history_max`: changes kept per kind. In memory alone; with a database use open().
  explicit Storage(std::size_t history_max, std::unique_ptr<Database> database = nullptr);
  // With what is in the database. Watches that began before it was opened are told kGone.
  // Errors: those of Database::load(); kInvalid if it holds something that this version cannot read.
  static Result<std::shared_ptr<Storage>> open(std::size_t history_max, std::unique_ptr<Database> database);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  ObjectPtr find(const Kind& kind, const Key& key) const;  // null if nothing stands there
  // Errors: kGone if the revision of options.continue_ is no longer kept; kInvalid if that is no token.
  Result<List> list(const Kind& kind, const ListOptions& options) const;
  std::uint64_t revision() const;

  // Puts `document` where revision `expected` stands (0: where nothing stands), if `guard` agrees.
  // Errors: kConflict if something else stands there; kInvalid if the document is no object; the guard's;
  // kUnavailable if it cannot be stored.
  Result<ObjectPtr> put(const Kind& kind, const Key& key, std::uint64_t expected, Json document,
                        const Guard& guard = {});

  // Returns the last state, carrying the revision of the removal. Errors: as above.
  Result<ObjectPtr> erase(const Kind& kind, const Key& key, std::uint64_t expected, const Guard& guard = {});

  // Whether put() or erase() would be right.
  Result<void> check(const Kind& kind, const Key& key, std::uint64_t expected, const Guard& guard = {}) const;

  // Errors: kGone if changes after `after_revision` are no longer kept, or if it lies in the future: it is
  // from another life of the store.
  Result<std::unique_ptr<Watch>> watch(const Kind& kind, std::uint64_t after_revision, WatchOptions options);

  // Everything that names `uid` as an owner.
  std::vector<std::pair<const Kind*, Key>> owned_by(const std::string& uid) const;
  // Everything in a namespace.
  std::vector<std::pair<const Kind*, Key>> inside(std::string_view namespace_) const;
  std::vector<ObjectPtr> everything() const;

  // Kinds by what is stored of definitions. Thread: any.
  const KindRegistry& kinds() const { return *kinds_; }
  std::shared_ptr<const KindRegistry> share_kinds() const { return kinds_; }

 private:
  friend class StorageWatch;

  using Place = std::pair<const Kind*, Key>;

  // Kinds are known here as stored_as() says, so that those that come and go have one place.
  struct Table {
    explicit Table(std::uint64_t loaded) : dropped_through(loaded) {}
    std::map<Key, ObjectPtr> objects;
    std::deque<Event> history;      // in revision order
    std::uint64_t dropped_through;  // every change of this kind after it is in `history`
    std::condition_variable changed;
    std::set<StorageWatch*> asleep;  // watches that want to be told of the next change
  };

  struct Change {
    Place place;
    ObjectPtr object;  // its state from now on; for a removal the last one
    bool erases = false;
    std::string document;  // for the database
    std::uint32_t document_sum = 0;
  };
  struct Batch;
  // A change on its way to the disk; it lives with its writer, who waits for the batch.
  struct Pending {
    Change change;
    std::shared_ptr<Batch> batch;
    std::vector<Event> forgotten{};  // what the history let go for it; its writer frees them
  };
  // Changes that are committed together. Those who wait for the end do so on one word, so that one call wakes them
  // all: with a mutex and a condition for each, waking took as long as the disk.
  struct Batch {
    void wait() const { settled.wait(0); }
    void settle() {
      settled = 1;
      settled.notify_all();
    }

    std::vector<Pending*> changes;  // in revision order
    Result<void> outcome;           // seen after wait()
    std::atomic<int> settled{0};    // an int, because the kernel waits on those
  };

  Result<void> load();
  Table& table(const Kind& kind);
  ObjectPtr find_locked(const Kind& kind, const Key& key) const;
  Result<void> expect(const Kind& kind, const Key& key, std::uint64_t expected, const Guard& guard) const;
  void wait_until_free(std::unique_lock<std::mutex>& lock, const Place& place) const;
  Result<ObjectPtr> submit(std::unique_lock<std::mutex>& lock, Change change);
  void publish(const Change& change, std::vector<Event>& forgotten);
  void reown(const Place& place, const resource::Object* before, const resource::Object* after);
  void record(Table& table, Event event, std::vector<Event>& forgotten);
  void commit_all(const std::stop_token& stop);
  Result<void> commit_batch(const Batch& batch);
  // What stood in the table at `revision`. Requires: revision >= dropped_through.
  static std::map<Key, ObjectPtr> state_at(const Table& table, std::uint64_t revision);

  const std::size_t history_max_;
  const std::shared_ptr<KindRegistry> kinds_ = std::make_shared<KindRegistry>();
  const std::unique_ptr<Database>
      database_;  // the committer's thread only, once that runs; null: memory alone
  mutable std::mutex mutex_;
  // All below: guarded by mutex_.
  std::uint64_t revision_ = 1;  // of the last change that everybody sees
  std::uint64_t given_ = 1;     // the last revision given to a change
  std::uint64_t loaded_ = 0;    // changes up to it were made in an earlier life
  std::map<const Kind*, std::unique_ptr<Table>> tables_;
  std::unordered_map<std::string, std::set<Place>> owned_;  // by the owner's uid
  std::map<Place, Pending*> pending_;
  std::shared_ptr<Batch> gathering_ = std::make_shared<Batch>();  // what is committed next
  std::condition_variable_any gathered_;
  std::jthread committer_;
};

// Names for messages, as Kubernetes writes them: pods "a", inferencepools.inference.networking.k8s.io "b".
std::string resource_name(const Kind& kind, std::string_view name);
tl::unexpected<Error> not_found(const Kind& kind, std::string_view name);
tl::unexpected<Error> modified(const Kind& kind, std::string_view name);

}  // namespace tidegate::cluster
