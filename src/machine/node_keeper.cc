#include "machine/node_keeper.h"

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "resource/core.h"
#include "resource/fields.h"
#include "resource/kind.h"
#include "resource/micro_time.h"

namespace tidegate::machine {
namespace {

using resource::Json;

constexpr Duration kStatusPeriod = std::chrono::minutes(5);
constexpr const char* kHomeAddress = "127.0.0.1";
constexpr const char* kLeaseNamespace = "kube-node-lease";
constexpr int kLeaseSeconds = 40;

const resource::Kind& node_kind() {
  static const resource::Kind& kind = *resource::find_kind("v1", "Node");
  return kind;
}

void ensure_lease_namespace(cluster::Client& client) {
  // It mostly exists; the lease's own error says so if it does not.
  (void)client.create(
      *resource::find_kind("v1", "Namespace"),
      Json{{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", kLeaseNamespace}}}});
}

void renew_lease(cluster::Client& client, const std::string& name, const std::string& uid, WallTime now) {
  const resource::Kind& kind = *resource::find_kind("coordination.k8s.io/v1", "Lease");
  const Json spec{{"holderIdentity", name},
                  {"leaseDurationSeconds", kLeaseSeconds},
                  {"renewTime", resource::micro_time(now)}};
  const auto patched =
      client.patch(kind, {kLeaseNamespace, name}, cluster::PatchType::kMerge, Json{{"spec", spec}});
  if (patched || patched.error().code != Code::kNotFound) return;
  const Json owner{{"apiVersion", "v1"}, {"kind", "Node"}, {"name", name}, {"uid", uid}};
  const auto made = client.create(
      kind,
      Json{{"apiVersion", "coordination.k8s.io/v1"},
           {"kind", "Lease"},
           {"metadata",
            {{"name", name}, {"namespace", kLeaseNamespace}, {"ownerReferences", Json::array({owner})}}},
           {"spec", spec}});
  if (!made)
    log::debug("machine", "cannot renew a node's lease", {{"node", name}, {"error", describe(made.error())}});
}

// Somebody else may change the object meanwhile; the kubelet's part of the status is the machine's own.
void put_status(cluster::Client& client, const NodeReport& report, WallTime now) {
  for (int tries = 0; tries < 5; ++tries) {
    const auto node = client.get(node_kind(), {"", report.name});
    if (!node) return;
    Json document = (*node)->json();
    document["status"] = node_status(report, (*node)->json(), now);
    const auto written = client.update_status(node_kind(), std::move(document));
    if (written || written.error().code != Code::kConflict) return;
  }
}

void add_missing_labels(cluster::Client& client, const resource::Object& node,
                        const MachineOptions& options) {
  Json labels = Json::object();
  for (const auto& [label, value] : node_labels(options, node.name())) {
    if (!node.metadata().labels.contains(label)) labels[label] = value;
  }
  if (labels.empty()) return;
  (void)client.patch(node_kind(), {"", node.name()}, cluster::PatchType::kMerge,
                     Json{{"metadata", {{"labels", std::move(labels)}}}});
}

}  // namespace

bool hosts(const resource::Object& node, std::string_view home) {
  return node.name() == home || resource::text(node.json(), "spec.providerID").starts_with(kLocalProvider);
}

Failure failure_of(const resource::Object& node) {
  const auto found = node.metadata().annotations.find(std::string(kFailAnnotation));
  if (found == node.metadata().annotations.end() || found->second.empty()) return Failure::kNone;
  return found->second == "crash" ? Failure::kCrash : Failure::kLinkDown;
}

Result<void> NodeKeeper::register_home() {
  const MachineOptions& options = around_.options;
  ensure_lease_namespace(around_.client);
  auto created = around_.client.create(node_kind(), node_document(options, node_capacity(options)));
  if (!created && created.error().code != Code::kConflict) return tl::unexpected(created.error());
  return {};
}

std::string NodeKeeper::address_for(const resource::Object& node) {
  if (node.name() == around_.options.node) return kHomeAddress;
  if (const auto view = resource::Node::from(node); view && !view->internal_ip.empty()) {
    addresses_.reserve(view->internal_ip);
    return view->internal_ip;
  }
  const auto taken = addresses_.take();
  return taken ? *taken : kHomeAddress;
}

NodeChange NodeKeeper::join(const resource::Object& node) {
  HostedNode& hosted = nodes_[node.name()];
  hosted = {node.name(), node.metadata().uid, address_for(node), failure_of(node), {}};
  around_.worker.post([around = &around_, object = node.json()] {
    const auto copy = resource::Object::make(object);
    if (copy) add_missing_labels(around->client, **copy, around->options);
  });
  if (hosted.failure != Failure::kNone) return NodeChange::kLinkLost;
  around_.events.note(cluster::normal(node, "Starting", "Starting kubelet.").from("kubelet", node.name()));
  write_status(hosted, true);
  return NodeChange::kJoined;
}

NodeChange NodeKeeper::on_node(const resource::ObjectPtr& object, bool deleted) {
  const std::string& name = object->name();
  const auto found = nodes_.find(name);
  const bool known = found != nodes_.end();
  if (deleted || !hosts(*object, around_.options.node) ||
      (known && found->second.uid != object->metadata().uid)) {
    if (known) {
      addresses_.release(found->second.address);
      nodes_.erase(found);
    }
    if (!deleted && hosts(*object, around_.options.node)) join(*object);
    if (deleted && name == around_.options.node)
      around_.worker.post([this] { (void)register_home(); });  // a kubelet that runs has a node
    return known ? NodeChange::kLeft : NodeChange::kNone;
  }
  if (!known) return join(*object);

  HostedNode& node = found->second;
  const Failure failure = failure_of(*object);
  if (failure == node.failure) {
    // Somebody wrote that nothing is heard of the node; it is heard of.
    if (failure == Failure::kNone && !resource::condition_is_true(object->json(), "Ready") &&
        node.status_due > around_.loop.now()) {
      write_status(node, true);
    }
    return NodeChange::kNone;
  }
  const Failure before = std::exchange(node.failure, failure);
  if (failure == Failure::kCrash) return NodeChange::kCrashed;
  if (failure == Failure::kLinkDown)
    return before == Failure::kNone ? NodeChange::kLinkLost : NodeChange::kNone;
  write_status(node, true);
  return NodeChange::kBack;
}

void NodeKeeper::write_status(HostedNode& node, bool ready) {
  node.status_due = around_.loop.now() + kStatusPeriod;
  NodeReport report{node.name, node.address, ready, std::nullopt};
  if (node.name == around_.options.node) report.capacity = node_capacity(around_.options);
  around_.worker.post("node/" + node.name, [around = &around_, report, uid = node.uid] {
    const WallTime now = around->clock.wall();
    if (report.ready) renew_lease(around->client, report.name, uid, now);
    put_status(around->client, report, now);
  });
}

void NodeKeeper::beat() {
  for (auto& [name, node] : nodes_) {
    if (node.failure != Failure::kNone) continue;
    if (around_.loop.now() >= node.status_due) {
      write_status(node, true);
      continue;
    }
    around_.worker.post("lease/" + name, [around = &around_, name = name, uid = node.uid] {
      renew_lease(around->client, name, uid, around->clock.wall());
    });
  }
}

void NodeKeeper::say_closing() {
  for (auto& [name, node] : nodes_) {
    if (node.failure == Failure::kNone) write_status(node, false);
  }
}

const HostedNode* NodeKeeper::find(const std::string& name) const {
  const auto found = nodes_.find(name);
  return found == nodes_.end() ? nullptr : &found->second;
}

std::vector<std::string> NodeKeeper::names() const {
  std::vector<std::string> names;
  for (const auto& [name, node] : nodes_) names.push_back(name);
  return names;
}

}  // namespace tidegate::machine
