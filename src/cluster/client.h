// The cluster port: the one way every part of Tidegate reads and changes API objects.
//
// Behind it stands the embedded store (store/) or a Kubernetes API server. Controllers, the gateway and the
// machine see only this header. Its rules are Kubernetes' own: every change gets a revision from one counter;
// an update that carries a stale resourceVersion fails with kConflict; a watch starts at a revision and
// delivers every later change, in order, once.
//
// Thread: any thread may call; calls may block for I/O. A Watch belongs to one thread, except cancel().
// Errors: kNotFound, kConflict, kInvalid (with field), kGone (a watch position too old), kUnavailable.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "resource/kind.h"
#include "resource/object.h"

namespace tidegate::cluster {

using resource::Json;
using resource::Kind;
using resource::ObjectPtr;

struct Key {
  std::string namespace_;  // empty for cluster-scoped kinds
  std::string name;
  auto operator<=>(const Key&) const = default;
  std::string text() const { return namespace_.empty() ? name : namespace_ + "/" + name; }
};

inline Key key_of(const resource::Object& object) { return {object.namespace_(), object.name()}; }

enum class EventType { kAdded, kModified, kDeleted, kBookmark };

struct Event {
  EventType type;
  ObjectPtr object;        // for kDeleted the last state; null for kBookmark
  std::uint64_t revision;  // of this change
};

class Watch {
 public:
  virtual ~Watch() = default;
  // Waits up to `timeout` for the next change. An empty optional means that none came in time.
  // Errors: kGone: this watcher fell behind the kept history, list again; kCancelled after cancel().
  virtual Result<std::optional<Event>> next(Duration timeout) = 0;
  // Called from any thread, wakes next().
  virtual void cancel() = 0;
};

struct List {
  std::vector<ObjectPtr> items;  // sorted by namespace, then name
  std::uint64_t revision = 0;    // where a watch continues
};

enum class PatchType { kMerge, kJson, kStrategic };

class Client {
 public:
  virtual ~Client() = default;

  virtual Result<ObjectPtr> get(const Kind& kind, const Key& key) = 0;

  // All objects of a kind; `namespace_` empty means every namespace.
  virtual Result<List> list(const Kind& kind, std::string_view namespace_ = {}) = 0;

  virtual Result<std::unique_ptr<Watch>> watch(const Kind& kind, std::uint64_t after_revision) = 0;

  virtual Result<ObjectPtr> create(const Kind& kind, Json document) = 0;

  // Replaces everything but status. With metadata.resourceVersion set, fails with kConflict if it is not the
  // current.
  virtual Result<ObjectPtr> update(const Kind& kind, Json document) = 0;

  // Replaces status alone; generation stays.
  virtual Result<ObjectPtr> update_status(const Kind& kind, Json document) = 0;

  virtual Result<ObjectPtr> patch(const Kind& kind, const Key& key, PatchType type, const Json& patch) = 0;

  // Marks for deletion if finalizers remain, else removes. Pods get a deletionTimestamp and go when the
  // machine that runs them says they have ended; `now` skips that.
  virtual Result<void> remove(const Kind& kind, const Key& key, bool now = false) = 0;

  // Pods only: names the node. kConflict if already bound.
  virtual Result<void> bind(const Key& pod, std::string_view node) = 0;
};

}  // namespace tidegate::cluster
