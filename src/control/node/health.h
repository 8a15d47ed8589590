// Whether a node is heard of, and what follows from it for the node and its pods.
//
// Thread: pure. Source: Kubernetes pkg/controller/nodelifecycle, "Nodes" (heartbeats), "Taint nodes by
// condition".

#pragma once

#include <string>
#include <vector>

#include "control/loop/decision.h"

namespace tidegate::node {

struct Rules {
  Duration grace = std::chrono::seconds(40);  // without a heartbeat: node-monitor-grace-period
};

// The kinds that decisions name, found once.
struct Kinds {
  const resource::Kind* node;
  const resource::Kind* pod;
  const resource::Kind* lease;
  // Requires: the kinds are in resource::kinds().
  static Kinds find();
};

// When a node's heartbeat changed last, as seen here.
struct Heartbeat {
  std::string renewed{};  // the Lease's renewTime and the status's lastHeartbeatTime: either will do
  WallTime seen{};
};

// What is known after a look at the node and its Lease (null: there is none).
Heartbeat observe(const Heartbeat* before, const resource::Object& node, const resource::Object* lease,
                  WallTime now);

// `pods` are those bound to the node. One step at a time: condition, then taints, then pods; each write
// brings the next round.
loop::Decision decide_health(const Kinds& kinds, const resource::Object& node, const Heartbeat& heartbeat,
                             const std::vector<resource::ObjectPtr>& pods, const Rules& rules, WallTime now);

}  // namespace tidegate::node
