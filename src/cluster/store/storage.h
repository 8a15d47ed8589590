// What the cluster holds, in memory: objects by kind and key, one revision counter, and per kind the recent
// changes.
//
// Storage knows nothing of rules: it puts and erases what it is told, if what stands there is still what the
// caller saw. Every change gets the next revision, is written into metadata.resourceVersion, and wakes the
// watches of its kind.
//
// Watches read a ring of recent changes that all watches of a kind share. A watch costs a cursor, a slow one
// costs nothing more, and one that falls behind the ring is told kGone and lists again; writers never wait
// for readers.
//
// Thread: any. A watch keeps the storage alive.

#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/client.h"

namespace tidegate::cluster {

class Storage : public std::enable_shared_from_this<Storage> {
 public:
  // `history_max`: changes kept per kind.
  explicit Storage(std::size_t history_max) : history_max_(history_max) {}

  ObjectPtr find(const Kind& kind, const Key& key) const;  // null if nothing stands there
  List list(const Kind& kind, std::string_view namespace_) const;
  std::uint64_t revision() const;

  // Puts `document` where revision `expected` stands (0: where nothing stands).
  // Errors: kConflict if something else stands there; kInvalid if the document is no object.
  Result<ObjectPtr> put(const Kind& kind, const Key& key, std::uint64_t expected, Json document);

  // Returns the last state, carrying the revision of the removal. Errors: kConflict as above.
  Result<ObjectPtr> erase(const Kind& kind, const Key& key, std::uint64_t expected);

  // Errors: kGone if changes after `after_revision` are no longer kept, or if it lies in the future: it is
  // from another life of the store.
  Result<std::unique_ptr<Watch>> watch(const Kind& kind, std::uint64_t after_revision);

  // Everything that names `uid` as an owner.
  std::vector<std::pair<const Kind*, Key>> owned_by(const std::string& uid) const;
  // Everything in a namespace.
  std::vector<std::pair<const Kind*, Key>> inside(std::string_view namespace_) const;

 private:
  friend class StorageWatch;

  struct Table {
    std::map<Key, ObjectPtr> objects;
    std::deque<Event> history;          // in revision order
    std::uint64_t dropped_through = 0;  // every change of this kind after it is in `history`
    std::condition_variable changed;
  };

  Table& table(const Kind& kind);
  Result<void> expect(const Table& table, const Kind& kind, const Key& key, std::uint64_t expected) const;
  void record(Table& table, Event event);

  const std::size_t history_max_;
  mutable std::mutex mutex_;
  std::uint64_t revision_ = 1;                            // guarded by mutex_
  std::map<const Kind*, std::unique_ptr<Table>> tables_;  // guarded by mutex_
};

// Names for messages, as Kubernetes writes them: pods "a", inferencepools.inference.networking.k8s.io "b".
std::string resource_name(const Kind& kind, std::string_view name);
tl::unexpected<Error> not_found(const Kind& kind, std::string_view name);
tl::unexpected<Error> modified(const Kind& kind, std::string_view name);

}  // namespace tidegate::cluster
