#include "control/node/controllers.h"

#include <map>
#include <memory>

#include "control/node/event_gc.h"
#include "control/node/pod_gc.h"
#include "resource/fields.h"

namespace tidegate::node {
namespace {

using cluster::Key;
using resource::Object;
using resource::ObjectPtr;

// What one node's controller remembers between rounds.
struct Memory {
  std::map<std::string, Heartbeat> heartbeats;
  std::map<std::string, WallTime> missing;  // nodes that have pods and do not exist
};

std::vector<ObjectPtr> pods_on(const loop::Caches& caches, const resource::Kind& pod_kind,
                               const std::string& node) {
  std::vector<ObjectPtr> pods;
  for (const ObjectPtr& pod : caches.list(pod_kind)) {
    if (resource::text(pod->json(), "spec.nodeName") == node) pods.push_back(pod);
  }
  return pods;
}

}  // namespace

std::vector<loop::Controller> controllers(const Rules& rules) {
  const Kinds kinds = Kinds::find();
  loop::Controller controller;
  controller.name = "node";
  const auto lease_key = [](const Object& lease) -> std::vector<Key> {
    if (lease.namespace_() != "kube-node-lease") return {};
    return {{"", lease.name()}};
  };
  const auto node_of_pod = [](const Object& pod) -> std::vector<Key> {
    const std::string node = resource::text(pod.json(), "spec.nodeName");
    if (node.empty()) return {};
    return {{"", node}};
  };
  controller.sources = {{kinds.node, loop::own_key}, {kinds.lease, lease_key}, {kinds.pod, node_of_pod}};
  const auto memory = std::make_shared<Memory>();
  controller.decide = [kinds, rules, memory](const Key& key, const loop::Caches& caches, WallTime now) {
    const ObjectPtr node = caches.get(*kinds.node, key);
    const auto pods = pods_on(caches, *kinds.pod, key.name);
    if (node == nullptr) {
      memory->heartbeats.erase(key.name);
      if (pods.empty()) {
        memory->missing.erase(key.name);
        return loop::Decision{};
      }
      const WallTime since = memory->missing.try_emplace(key.name, now).first->second;
      return decide_orphans(*kinds.pod, pods, since, now);
    }
    memory->missing.erase(key.name);
    const auto known = memory->heartbeats.find(key.name);
    const ObjectPtr lease = caches.get(*kinds.lease, {"kube-node-lease", key.name});
    const Heartbeat heartbeat =
        observe(known == memory->heartbeats.end() ? nullptr : &known->second, *node, lease.get(), now);
    memory->heartbeats[key.name] = heartbeat;
    return decide_health(kinds, *node, heartbeat, pods, rules, now);
  };
  return {std::move(controller), event_controller()};
}

}  // namespace tidegate::node
