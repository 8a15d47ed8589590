// Runs controllers: each a pure function on a thread of its own, called for every key that something happened
// to.
//
//   Runtime runtime(client, clock);
//   runtime.add({.name = "replicaset", .sources = {{&set_kind, own_key}, {&pod_kind, owner_key}}, .decide =
//   ...}); runtime.start();
//
// For one key at a time: the function reads the caches and returns a Decision, the loop performs it. A failed
// action ends the round and brings the key back after a growing delay; a conflict brings it back at once,
// with fresher caches.
//
// A controller never decides on a cache that is older than its own last writes: until everything it wrote for
// a key has come back through the caches, the key waits. Without that, a set that has just made its pods
// would make them again.
//
// Thread: add() and start() from one thread, then stop() from any.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cluster/client.h"
#include "control/loop/caches.h"
#include "control/loop/decision.h"

namespace tidegate::loop {

// A kind whose changes concern a controller, and which of its keys a change of that object concerns.
struct Source {
  const resource::Kind* kind;
  std::function<std::vector<cluster::Key>(const resource::Object& object)> keys;
};

struct Controller {
  std::string name;  // for log lines and, with "-controller" behind it, as the source of events
  std::vector<Source> sources;
  // Pure but for reading `caches` (and drawing names). Called on this controller's thread.
  std::function<Decision(const cluster::Key& key, const Caches& caches, WallTime now)> decide;
  // What to do about an action that failed, beside trying again: say so in a status. May be empty.
  std::function<std::vector<Action>(const cluster::Key& key, const Error& error, const Caches& caches,
                                    WallTime now)>
      after_failure{};
};

class Runtime {
 public:
  // Both must outlive the runtime.
  Runtime(cluster::Client& client, const Clock& clock);
  ~Runtime();

  void add(Controller controller);
  void start();
  void stop();

 private:
  struct Worker;

  cluster::Client& client_;
  const Clock& clock_;
  Caches caches_;
  cluster::EventRecorder events_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

// The key of the object itself.
std::vector<cluster::Key> own_key(const resource::Object& object);
// The key of its controlling owner, if that is of this kind.
std::function<std::vector<cluster::Key>(const resource::Object&)> owner_key(std::string_view owner_kind);

// What was written for a key and has not been seen in the caches yet.
class Writes {
 public:
  // `revision` of the written object; for a removal, its uid and no revision.
  void wrote(const resource::Kind& kind, const cluster::Key& key, std::uint64_t revision);
  void removed(const resource::Kind& kind, const cluster::Key& key, std::string uid);

  // True once every write is visible. `find` reads the caches.
  using Find = std::function<resource::ObjectPtr(const resource::Kind&, const cluster::Key&)>;
  bool visible(const Find& find);

 private:
  struct Write {
    const resource::Kind* kind;
    cluster::Key key;
    std::uint64_t revision;  // 0: a removal
    std::string uid;         // of what was removed
  };
  std::vector<Write> writes_;
};

}  // namespace tidegate::loop
