#include "machine/restart.h"

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "machine/node_keeper.h"
#include "resource/fields.h"

namespace tidegate::machine {
namespace {

using resource::Json;

// Returns whether anything was ready.
bool take_readiness(Json& status, WallTime now) {
  bool was_ready = false;
  if (!status.is_object()) return false;
  for (Json& condition : status["conditions"]) {
    const std::string type = resource::text(condition, "type");
    if ((type != "Ready" && type != "ContainersReady") || resource::text(condition, "status") != "True")
      continue;
    was_ready = true;
    condition["status"] = "False";
    condition["reason"] = "HomeRestarted";
    condition["message"] = "the home was started again, and starts this pod again";
    condition["lastTransitionTime"] = rfc3339(now);
  }
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    if (!status.contains(list)) continue;
    for (Json& container : status[list]) container["ready"] = false;
  }
  return was_ready;
}

}  // namespace

Result<void> mark_ended(cluster::Client& client, std::string_view home, WallTime now) {
  const auto nodes = client.list(*resource::find_kind("v1", "Node"));
  if (!nodes) return tl::unexpected(nodes.error());
  std::set<std::string> ours;
  for (const auto& node : nodes->items) {
    if (hosts(*node, home)) ours.insert(node->name());
  }
  const resource::Kind& kind = *resource::find_kind("v1", "Pod");
  const auto pods = client.list(kind);
  if (!pods) return tl::unexpected(pods.error());
  for (const auto& pod : pods->items) {
    if (!ours.contains(resource::text(pod->json(), "spec.nodeName"))) continue;
    const std::string phase = resource::text(pod->json(), "status.phase");
    if (phase == "Succeeded" || phase == "Failed") continue;
    Json document = pod->json();
    if (!take_readiness(document["status"], now)) continue;
    const auto written = client.update_status(kind, std::move(document));
    // Whoever was faster has newer news.
    if (!written && written.error().code != Code::kConflict && written.error().code != Code::kNotFound) {
      return tl::unexpected(written.error());
    }
  }
  return {};
}

}  // namespace tidegate::machine
