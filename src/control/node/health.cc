#include "control/node/health.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "control/node/eviction.h"
#include "resource/fields.h"
#include "resource/kind.h"

namespace tidegate::node {
namespace {

using loop::Action;
using loop::Decision;
using resource::Json;
using resource::Object;

constexpr const char* kNotReady = "node.kubernetes.io/not-ready";
constexpr const char* kUnreachable = "node.kubernetes.io/unreachable";
constexpr const char* kUnschedulable = "node.kubernetes.io/unschedulable";
constexpr const char* kHeard[] = {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"};

std::string ready_status(const Object& node) {
  const Json* ready = resource::condition(node.json(), "Ready");
  return ready == nullptr ? std::string() : resource::text(*ready, "status");
}

// Nothing was heard for too long: nobody knows how the node is.
Json unknown_conditions(const Object& node, WallTime now) {
  Json conditions = Json::array();
  if (const Json* present = resource::find_array(node.json(), "status.conditions")) conditions = *present;
  for (const char* type : kHeard) {
    auto found = std::find_if(conditions.begin(), conditions.end(),
                              [&](const Json& each) { return resource::text(each, "type") == type; });
    const bool never = found == conditions.end();
    if (!never && resource::text(*found, "status") == "Unknown") continue;
    Json entry = never ? Json{{"type", type}} : *found;
    entry["status"] = "Unknown";
    entry["reason"] = never ? "NodeStatusNeverUpdated" : "NodeStatusUnknown";
    entry["message"] = never ? "Kubelet never posted node status." : "Kubelet stopped posting node status.";
    entry["lastTransitionTime"] = rfc3339(now);
    if (never) {
      conditions.push_back(std::move(entry));
    } else {
      *found = std::move(entry);
    }
  }
  return conditions;
}

// The taints that the node's state calls for, beside those that others have set. A taint that stays keeps its
// time.
Json wanted_taints(const Object& node, WallTime now) {
  const std::string ready = ready_status(node);
  const char* state = ready == "True" ? nullptr : ready == "False" ? kNotReady : kUnreachable;
  std::vector<std::pair<std::string, std::string>> wanted;
  if (state != nullptr) wanted = {{state, "NoSchedule"}, {state, "NoExecute"}};
  if (resource::flag(node.json(), "spec.unschedulable")) wanted.emplace_back(kUnschedulable, "NoSchedule");

  Json taints = Json::array();
  if (const Json* present = resource::find_array(node.json(), "spec.taints")) {
    for (const Json& taint : *present) {
      const std::string key = resource::text(taint, "key");
      const bool ours = key == kNotReady || key == kUnreachable || key == kUnschedulable;
      const auto match =
          std::find(wanted.begin(), wanted.end(), std::pair(key, resource::text(taint, "effect")));
      if (ours && match == wanted.end()) continue;
      if (match != wanted.end()) wanted.erase(match);
      taints.push_back(taint);
    }
  }
  for (const auto& [key, effect] : wanted)
    taints.push_back(Json{{"key", key}, {"effect", effect}, {"timeAdded", rfc3339(now)}});
  return taints;
}

bool set_taints(const Kinds& kinds, const Object& node, WallTime now, Decision& decision) {
  Json taints = wanted_taints(node, now);
  const Json* present = resource::find_array(node.json(), "spec.taints");
  if (present == nullptr ? taints.empty() : resource::same_content(*present, taints)) return false;
  Json document = node.json();
  if (!document["spec"].is_object()) document["spec"] = Json::object();
  if (taints.empty()) {
    document["spec"].erase("taints");
  } else {
    document["spec"]["taints"] = std::move(taints);
  }
  decision.actions.push_back(Action::update(*kinds.node, std::move(document), "taints of its state"));
  return true;
}

// Their kubelet cannot say it, and readers must not go on trusting its last word.
void mark_pods_not_ready(const Kinds& kinds, const std::vector<resource::ObjectPtr>& pods, WallTime now,
                         Decision& decision) {
  for (const resource::ObjectPtr& pod : pods) {
    if (!resource::condition_is_true(pod->json(), "Ready")) continue;
    Json document = pod->json();
    for (Json& condition : document["status"]["conditions"]) {
      if (resource::text(condition, "type") != "Ready") continue;
      condition["status"] = "False";
      condition["lastTransitionTime"] = rfc3339(now);
    }
    decision.actions.push_back(Action::update_status(*kinds.pod, std::move(document), "its node is not ready")
                                   .saying(cluster::warning(*pod, "NodeNotReady", "Node is not ready")));
  }
}

}  // namespace

Kinds Kinds::find() {
  Kinds kinds{resource::find_kind("v1", "Node"), resource::find_kind("v1", "Pod"),
              resource::find_kind("coordination.k8s.io/v1", "Lease")};
  TG_CHECK(kinds.node != nullptr && kinds.pod != nullptr && kinds.lease != nullptr);
  return kinds;
}

Heartbeat observe(const Heartbeat* before, const Object& node, const Object* lease, WallTime now) {
  std::string renewed = lease == nullptr ? std::string() : resource::text(lease->json(), "spec.renewTime");
  if (const Json* ready = resource::condition(node.json(), "Ready"))
    renewed += "|" + resource::text(*ready, "lastHeartbeatTime");
  if (before != nullptr && before->renewed == renewed) return *before;
  return {std::move(renewed), now};
}

Decision decide_health(const Kinds& kinds, const Object& node, const Heartbeat& heartbeat,
                       const std::vector<resource::ObjectPtr>& pods, const Rules& rules, WallTime now) {
  Decision decision;
  if (!node.metadata().deletion_timestamp.empty()) return decision;
  const WallTime deadline = heartbeat.seen + rules.grace;
  std::string ready = ready_status(node);
  if (now >= deadline && ready != "Unknown") {
    Json document = node.json();
    document["status"]["conditions"] = unknown_conditions(node, now);
    decision.actions.push_back(
        Action::update_status(*kinds.node, std::move(document), "no heartbeat")
            .saying(cluster::normal(node, "NodeNotReady",
                                    "Node " + node.name() + " status is now: NodeNotReady")));
    return decision;
  }
  if (now < deadline) decision.again_in = deadline - now;
  // A node that has just come has a while to speak before it counts as lost.
  if (ready.empty()) return decision;
  if (set_taints(kinds, node, now, decision)) return decision;
  if (ready != "True") mark_pods_not_ready(kinds, pods, now, decision);
  evict(*kinds.pod, node, pods, now, decision);
  return decision;
}

}  // namespace tidegate::node
