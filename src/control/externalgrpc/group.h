// What is asked of an external gRPC cloud provider, and what it said: values that need no gRPC header.
//
// Thread: values.
// Source: kubernetes/autoscaler cluster-autoscaler/cloudprovider/externalgrpc (README.md, protos).

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"

namespace tidegate::externalgrpc {

// Where the service is and how to speak to it; cluster-autoscaler's cloud-config.
struct Service {
  std::string address;                         // host:port
  std::string key, cert, cacert;               // paths of PEM files; all empty: without TLS
  Duration timeout = std::chrono::seconds(5);  // of one call
  std::string group;                           // the node group's id there

  bool operator==(const Service&) const = default;
};

// A Node as the service is shown it.
struct Node {
  std::string provider_id;
  std::string name;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
};

enum class InstanceState { kUnknown, kRunning, kCreating, kDeleting };

struct Instance {
  std::string id;  // its Node's spec.providerID
  InstanceState state = InstanceState::kUnknown;
  std::string error;  // why it will not come; empty if nothing is wrong
};

struct Taint {
  std::string key, value, effect;
};

// A Node of the group as it would be, empty.
struct Template {
  std::map<std::string, std::string> labels;
  std::vector<Taint> taints;
  std::map<std::string, std::string> capacity;  // quantities as written
};

struct Group {
  std::int64_t min = 0;
  std::int64_t max = 0;
  std::int64_t target = 0;
  std::vector<Instance> instances;
  std::set<std::string> members;  // Nodes, by name, that the service counts to the group
  std::optional<Template> node;   // this and the next: what was told last
  std::string gpu_label;          // a Node with it is to have devices
  std::optional<double> price;    // of one Node for an hour
};

// One turn: first what is to change, then everything is read anew.
struct Order {
  std::int64_t grow = 0;  // below zero: machines that have not come yet are not wanted any more
  std::vector<Node> remove;
  std::vector<Node> strangers;  // whose group is asked for
  bool details = false;         // template, label and price too
};

struct Answer {
  std::string error;                           // why nothing could be read; else empty
  std::string grow_error;                      // why the size could not be changed
  std::map<std::string, std::string> removed;  // by the Node's provider id: the error, empty if done
  Group group;
};

// What is known of a group.
struct View {
  struct Removal {
    WallTime at{};
    std::string error;
  };
  bool busy = false;                    // a turn is under way: what is below may be outdated
  std::optional<WallTime> seen;         // when the last turn began that was read whole; `group` is of then
  std::optional<WallTime> failed;       // when the latest turn began, if it failed
  std::string error;                    // of the latest turn
  std::optional<WallTime> grow_failed;  // when a turn began in which the size could not be changed
  std::string grow_error;
  std::map<std::string, Removal> removals;  // by provider id: asked for last
  Group group;

  bool heard() const { return seen || failed; }
  // Sizes may be decided on: the latest turn was read whole, and none is under way.
  bool settled() const { return seen && !failed && !busy; }
};

inline constexpr std::int64_t kSizeMax = 1000;

// What is impossible in an answer, for people; empty if it can be believed. Pure.
std::string flaw(const Group& group);

// A text of the service's as it may stand in a status: printable, valid UTF-8, bounded.
std::string clean(const std::string& text);

}  // namespace tidegate::externalgrpc
