// The cluster port: the one way every part of Tidegate reads and changes API objects.
//
// Behind it stands the embedded store (store/) or a Kubernetes API server. Controllers, the gateway and the
// machine see only this header. Its rules are Kubernetes' own: every change gets a revision from one counter;
// an update that carries a stale resourceVersion fails with kConflict; a watch starts at a revision and
// delivers every later change, in order, once.
//
// Acknowledged means durable: a write returns, and readers and watches see it, once it would survive a crash.
//
// Thread: any thread may call; calls may block for I/O. A Watch belongs to one thread, except cancel().
// Errors: kNotFound; kConflict: the name is taken (create), or somebody was faster or a precondition does not
// hold (all others); kInvalid (with field); kTooLarge; kForbidden; kGone: a position too old; kUnavailable:
// the other side is away or cannot store, nothing is known to have changed, later may work. Source:
// Kubernetes API concepts; meta/v1 ListOptions, CreateOptions, DeleteOptions.

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
#include "resource/scale.h"

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
  std::uint64_t revision;  // of this change; for kBookmark: everything up to it has been delivered
  // What stood there before, for those who filter: null for kAdded, and where the other side does not tell.
  ObjectPtr before = nullptr;
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

struct ListOptions {
  std::string namespace_ = {};  // empty: every namespace
  std::size_t limit = 0;        // items of one page; 0: all in one
  // From the page before; the namespace and the kind must be the same. All pages of a walk show the cluster
  // at one revision; kGone once that is no longer kept: start over.
  std::string continue_ = {};
};

struct List {
  std::vector<ObjectPtr> items;  // sorted by namespace, then name
  std::uint64_t revision = 0;    // where a watch continues
  std::string continue_ = {};    // for the next page; empty: this was the last
  std::size_t remaining = 0;     // items behind this page
};

struct WatchOptions {
  std::string namespace_ = {};  // empty: every namespace
  // With this, next() answers kBookmark instead of nothing when time is up and the revision has moved on.
  bool bookmarks = false;
  // For those who have no thread to wait with: after a next() that came back empty (or with a bookmark) this
  // is called, once and from any thread, when next() has something again. It must not block or call back;
  // post to your loop.
  std::function<void()> on_ready = {};
};

enum class PatchType { kMerge, kJson, kStrategic };

struct WriteOptions {
  bool dry_run = false;            // all rules apply, nothing is stored; the answer carries no new revision
  std::string field_manager = {};  // who writes, for servers that keep managedFields
};

enum class Propagation {
  kBackground,  // the object goes, what it owns follows
  kForeground,  // what it owns goes first
  kOrphan,      // what it owns stays, without the reference
};

struct RemoveOptions {
  std::optional<std::int64_t> grace_s = {};     // unset: as the object says; 0: at once
  std::optional<Propagation> propagation = {};  // unset: as finalizers on the object say, else kBackground
  // Preconditions: kConflict if the object is another one, or has changed.
  std::string uid = {};
  std::uint64_t revision = 0;
  bool dry_run = false;
};

struct Removed {
  ObjectPtr object;   // its last state
  bool gone = false;  // false: it is marked, and goes when finalizers, dependents or the pod's machine let it
};

// Something of whatever kind, as references to it name it.
struct Reference {
  std::string api_version;
  std::string kind;
  Key key;
};

class Client {
 public:
  virtual ~Client() = default;

  virtual Result<ObjectPtr> get(const Kind& kind, const Key& key) = 0;

  virtual Result<List> list(const Kind& kind, const ListOptions& options) = 0;
  // All objects of a kind; `namespace_` empty means every namespace.
  Result<List> list(const Kind& kind, std::string_view namespace_ = {}) {
    return list(kind, ListOptions{.namespace_ = std::string(namespace_)});
  }

  // Every change after `after_revision`, which a list or an event told.
  virtual Result<std::unique_ptr<Watch>> watch(const Kind& kind, std::uint64_t after_revision,
                                               const WatchOptions& options = {}) = 0;

  virtual Result<ObjectPtr> create(const Kind& kind, Json document, const WriteOptions& options = {}) = 0;

  // Replaces everything but status. With metadata.resourceVersion set, fails with kConflict if it is not the
  // current. Without metadata.managedFields the present ones stay.
  virtual Result<ObjectPtr> update(const Kind& kind, Json document, const WriteOptions& options = {}) = 0;

  // Replaces status (and managedFields, if the document has them) alone; generation stays.
  virtual Result<ObjectPtr> update_status(const Kind& kind, Json document,
                                          const WriteOptions& options = {}) = 0;

  virtual Result<ObjectPtr> patch(const Kind& kind, const Key& key, PatchType type, const Json& patch,
                                  const WriteOptions& options = {}) = 0;

  // As patch(), but only what it makes of status counts.
  virtual Result<ObjectPtr> patch_status(const Kind& kind, const Key& key, PatchType type, const Json& patch,
                                         const WriteOptions& options = {}) = 0;

  // Marks for deletion if finalizers remain, else removes. Pods get a deletionTimestamp and go when the
  // machine that runs them says they have ended, with a grace of 0.
  virtual Result<Removed> remove(const Kind& kind, const Key& key, const RemoveOptions& options = {}) = 0;

  // The scale subresource, of kinds that definitions make too. kNotFound also for a kind that is not known or cannot
  // be scaled.
  virtual Result<resource::Scale> scale(const Reference& target) = 0;
  virtual Result<void> set_scale(const Reference& target, std::int64_t replicas) = 0;

  // Pods only: names the node. kConflict if already bound.
  virtual Result<void> bind(const Key& pod, std::string_view node, const WriteOptions& options = {}) = 0;
};

}  // namespace tidegate::cluster
