// One informer per kind for all controllers of a process, each on its own thread.
//
//   Caches caches(client);
//   caches.subscribe(pod_kind, [&](const cluster::Change& change) { ... });
//   caches.start();
//
// Thread: subscribe() before start(); reading from any thread. Callbacks run on the informers' threads.

#pragma once

#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "cluster/client.h"
#include "cluster/informer.h"

namespace tidegate::loop {

class Caches {
 public:
  explicit Caches(cluster::Client& client) : client_(client) {}
  ~Caches() { stop(); }
  Caches(const Caches&) = delete;
  Caches& operator=(const Caches&) = delete;

  void subscribe(const resource::Kind& kind, cluster::Informer::OnChange on_change);

  void start();
  void stop();
  // The first list of every kind is in.
  bool synced() const;

  // Null or empty for kinds that nobody subscribed to.
  resource::ObjectPtr get(const resource::Kind& kind, const cluster::Key& key) const;
  std::vector<resource::ObjectPtr> list(const resource::Kind& kind, std::string_view namespace_ = {}) const;
  // Those of a kind, in the owner's namespace, that it controls.
  std::vector<resource::ObjectPtr> owned(const resource::Kind& kind, const resource::Object& owner) const;

 private:
  struct Entry {
    std::vector<cluster::Informer::OnChange> subscribers;
    std::unique_ptr<cluster::Informer> informer;
    std::jthread thread;
  };

  cluster::Client& client_;
  std::map<const resource::Kind*, Entry> entries_;
};

// Whether the owner with this uid is the one that controls the object.
bool controlled_by(const resource::Object& object, std::string_view uid);

}  // namespace tidegate::loop
