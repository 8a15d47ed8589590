// The nodes that this machine stands for: its own, and every modelled machine of a NodePool (a Node whose
// spec.providerID begins with "local://", which the pool's provider makes).
//
// The keeper does for each what a kubelet does: the Ready condition, addresses, nodeInfo, the usual labels,
// and a Lease renewed at every heartbeat; the status is written when something changed and every five
// minutes. Capacity of the home is what this machine offers, unless the home came from a pool too; of the
// others it is what their object says.
//
// Failures are injected by the annotation tidegate.dev/fail on a Node:
//   link-down, NotReady (or any other word)  nothing is heard of the node and its pods any more; they run on
//   crash                                    likewise, and its pods' processes end at once
// Without the annotation the node is back; pods that were removed meanwhile are then ended, the others
// reported.
//
// Thread: the machine's loop, which owns the keeper; calls to the cluster go to the worker.
// Source: Kubernetes, "Nodes", "Leases" (kube-node-lease).

#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "machine/address_pool.h"
#include "machine/node.h"
#include "machine/surroundings.h"

namespace tidegate::machine {

inline constexpr std::string_view kLocalProvider = "local://";
inline constexpr std::string_view kFailAnnotation = "tidegate.dev/fail";

enum class Failure { kNone, kLinkDown, kCrash };

struct HostedNode {
  std::string name;
  std::string uid;
  std::string address;
  Failure failure = Failure::kNone;
  TimePoint status_due{};
};

// What a change of a Node means for the pods there.
enum class NodeChange { kNone, kJoined, kLeft, kLinkLost, kCrashed, kBack };

// Whether a machine whose own node is `home` stands for this Node.
bool hosts(const resource::Object& node, std::string_view home);
Failure failure_of(const resource::Object& node);

class NodeKeeper {
 public:
  NodeKeeper(Surroundings& around, AddressPool addresses)
      : around_(around), addresses_(std::move(addresses)) {}

  // Makes or refreshes the home's own Node; blocks. Errors: those of the client.
  Result<void> register_home();

  NodeChange on_node(const resource::ObjectPtr& node, bool deleted);

  // Renews the Leases, and the statuses that are due.
  void beat();
  // Says of every node that it is no longer ready.
  void say_closing();

  // Null if this machine does not stand for it.
  const HostedNode* find(const std::string& name) const;
  std::vector<std::string> names() const;

 private:
  NodeChange join(const resource::Object& node);
  void write_status(HostedNode& node, bool ready);
  std::string address_for(const resource::Object& node);

  Surroundings& around_;
  AddressPool addresses_;
  std::map<std::string, HostedNode> nodes_;
};

}  // namespace tidegate::machine
