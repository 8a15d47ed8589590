#include "control/workload/bind.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "resource/fields.h"
#include "resource/pod.h"

namespace tidegate::workload {
namespace {

using loop::Action;
using loop::Decision;
using resource::Json;
using resource::ObjectPtr;

using Resources = std::map<std::string, Quantity>;

constexpr const char* kPods = "pods";

// Empty for a pod that cannot be read: it then only counts as a pod.
Resources requests_of(const resource::Object& object) {
  const auto pod = resource::Pod::from(object);
  return pod ? pod->spec.requests() : Resources();
}

Resources read_resources(const Json* amounts) {
  Resources result;
  if (amounts == nullptr || !amounts->is_object()) return result;
  for (const auto& [name, value] : amounts->items()) {
    const auto amount = Quantity::parse(value.is_string() ? value.get<std::string>() : value.dump());
    if (amount) result[name] = *amount;
  }
  return result;
}

struct Room {
  const resource::Object* node;
  std::map<std::string, std::string> labels;
  Resources left;
};

bool ended(const resource::Object& pod) {
  const std::string phase = resource::text(pod.json(), "status.phase");
  return phase == "Succeeded" || phase == "Failed";
}

void take(Room& room, const Resources& wanted) {
  for (const auto& [name, amount] : wanted) room.left[name] = room.left[name] - amount;
  room.left[kPods] = room.left[kPods] - Quantity{1000};
}

// Why the pod cannot go there; empty if it can.
std::vector<std::string> reasons_against(const Room& room, const resource::Object& pod,
                                         const Resources& wanted) {
  if (resource::flag(room.node->json(), "spec.unschedulable")) return {"node(s) were unschedulable"};
  if (!resource::condition_is_true(room.node->json(), "Ready")) return {"node(s) were not ready"};
  for (const auto& [key, value] : resource::text_map(pod.json(), "spec.nodeSelector")) {
    const auto label = room.labels.find(key);
    if (label == room.labels.end() || label->second != value) {
      return {"node(s) didn't match Pod's node affinity/selector"};
    }
  }
  std::vector<std::string> reasons;
  const auto left = [&](const std::string& name) {
    const auto found = room.left.find(name);
    return found == room.left.end() ? Quantity{} : found->second;
  };
  if (left(kPods) < Quantity{1000}) reasons.emplace_back("Too many pods");
  for (const auto& [name, amount] : wanted) {
    if (amount.milli > 0 && left(name) < amount) reasons.push_back("Insufficient " + name);
  }
  return reasons;
}

std::string message(std::size_t nodes, const std::map<std::string, int>& against) {
  std::string text = "0/" + std::to_string(nodes) + " nodes are available";
  if (nodes == 0) return "no nodes available to schedule pods";
  std::vector<std::string> parts;
  for (const auto& [reason, count] : against) parts.push_back(std::to_string(count) + " " + reason);
  std::sort(parts.begin(), parts.end());
  for (std::size_t i = 0; i < parts.size(); ++i) text += (i == 0 ? ": " : ", ") + parts[i];
  return text + ".";
}

void say_unschedulable(const resource::Kind& kind, const resource::Object& pod, const std::string& why,
                       WallTime now, Decision& decision) {
  const Json* before = resource::condition(pod.json(), "PodScheduled");
  if (before != nullptr && resource::text(*before, "message") == why) return;
  Json document = pod.json();
  Json entry{{"type", "PodScheduled"},
             {"status", "False"},
             {"lastTransitionTime",
              before != nullptr ? resource::text(*before, "lastTransitionTime") : rfc3339(now)},
             {"reason", "Unschedulable"},
             {"message", why}};
  Json conditions = Json::array();
  if (const Json* others = resource::find_array(document, "status.conditions")) {
    for (const Json& other : *others) {
      if (resource::text(other, "type") != "PodScheduled") conditions.push_back(other);
    }
  }
  conditions.push_back(std::move(entry));
  document["status"]["phase"] = "Pending";
  document["status"]["conditions"] = std::move(conditions);
  decision.actions.push_back(Action::update_status(kind, std::move(document), "unschedulable: " + why));
}

}  // namespace

Decision decide_bindings(const resource::Kind& pod_kind, const std::vector<ObjectPtr>& nodes,
                         const std::vector<ObjectPtr>& pods, WallTime now) {
  Decision decision;
  std::map<std::string, Room> rooms;
  for (const ObjectPtr& node : nodes) {
    rooms[node->name()] = {node.get(), node->metadata().labels,
                           read_resources(resource::find(node->json(), "status.allocatable"))};
  }
  std::vector<const resource::Object*> waiting;
  for (const ObjectPtr& pod : pods) {
    if (ended(*pod)) continue;
    const std::string node = resource::text(pod->json(), "spec.nodeName");
    if (node.empty()) {
      if (pod->metadata().deletion_timestamp.empty()) waiting.push_back(pod.get());
    } else if (const auto room = rooms.find(node); room != rooms.end()) {
      take(room->second, requests_of(*pod));
    }
  }
  std::stable_sort(waiting.begin(), waiting.end(), [](const resource::Object* a, const resource::Object* b) {
    return a->metadata().creation_timestamp < b->metadata().creation_timestamp;
  });
  for (const resource::Object* pod : waiting) {
    const Resources wanted = requests_of(*pod);
    std::map<std::string, int> against;
    Room* chosen = nullptr;
    for (auto& [name, room] : rooms) {
      const auto reasons = reasons_against(room, *pod, wanted);
      if (reasons.empty()) {
        chosen = &room;
        break;
      }
      for (const std::string& reason : reasons) ++against[reason];
    }
    if (chosen != nullptr) {
      take(*chosen, wanted);
      decision.actions.push_back(Action::bind(pod_kind, *pod, chosen->node->name()));
    } else {
      say_unschedulable(pod_kind, *pod, message(rooms.size(), against), now, decision);
    }
  }
  return decision;
}

}  // namespace tidegate::workload
