#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/rfc3339.h"
#include "control/workload/deployment.h"
#include "resource/fields.h"

namespace tidegate::workload {
namespace {

using resource::Json;
using resource::number;

struct Counts {
  std::int64_t replicas = 0;
  std::int64_t updated = 0;
  std::int64_t ready = 0;
  std::int64_t available = 0;
};

Counts count(const std::vector<resource::ObjectPtr>& sets, const resource::Object* newest) {
  Counts counts;
  for (const auto& set : sets) {
    counts.replicas += number(set->json(), "status.replicas");
    counts.ready += number(set->json(), "status.readyReplicas");
    counts.available += number(set->json(), "status.availableReplicas");
  }
  if (newest != nullptr) counts.updated = number(newest->json(), "status.replicas");
  return counts;
}

// The condition of that type as it was, so that its times survive when nothing changes.
Json condition_as(const Json& deployment, const char* type, const char* text, std::string reason,
                  std::string message, bool progressed, WallTime now) {
  const Json* before = resource::condition(deployment, type);
  const bool same_status = before != nullptr && resource::text(*before, "status") == text;
  const bool same = same_status && !progressed && resource::text(*before, "reason") == reason &&
                    resource::text(*before, "message") == message;
  if (same) return *before;
  const std::string stamp = rfc3339(now);
  return Json{{"type", type},
              {"status", std::string(text)},
              {"lastUpdateTime", stamp},
              {"lastTransitionTime", same_status ? resource::text(*before, "lastTransitionTime") : stamp},
              {"reason", std::move(reason)},
              {"message", std::move(message)}};
}

bool complete(const Counts& counts, std::int64_t wanted, const resource::Object& deployment) {
  return counts.updated == wanted && counts.replicas == wanted && counts.available == wanted &&
         number(deployment.json(), "status.observedGeneration") >= deployment.metadata().generation;
}

bool progressed_since(const Json& deployment, const Counts& counts, std::int64_t wanted) {
  const auto before = [&](const char* field) { return number(deployment, std::string("status.") + field); };
  const std::int64_t old_before = before("replicas") - before("updatedReplicas");
  return counts.updated > before("updatedReplicas") || counts.replicas - counts.updated < old_before ||
         counts.ready > before("readyReplicas") || counts.available > before("availableReplicas") ||
         wanted == 0;
}

bool deadline_passed(const Json& deployment, WallTime now) {
  const std::int64_t deadline_s = number(deployment, "spec.progressDeadlineSeconds", 600);
  const Json* before = resource::condition(deployment, "Progressing");
  if (before == nullptr || resource::text(*before, "reason") == "NewReplicaSetAvailable") return false;
  if (resource::text(*before, "reason") == "ProgressDeadlineExceeded") return true;
  const auto since = parse_rfc3339(resource::text(*before, "lastUpdateTime"));
  return since && *since + std::chrono::seconds(deadline_s) < now;
}

Json progressing(const resource::Object& deployment, const Counts& counts, std::int64_t wanted,
                 const resource::Object* newest, WallTime now) {
  const Json& json = deployment.json();
  const std::string set = newest == nullptr ? "Deployment \"" + deployment.name() + "\""
                                            : "ReplicaSet \"" + newest->name() + "\"";
  const Json* before = resource::condition(json, "Progressing");
  const std::string reason = before == nullptr ? std::string() : resource::text(*before, "reason");
  if (resource::flag(json, "spec.paused")) {
    if (reason == "ProgressDeadlineExceeded") return *before;
    return condition_as(json, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", false,
                        now);
  }
  if (newest != nullptr && complete(counts, wanted, deployment)) {
    return condition_as(json, "Progressing", "True", "NewReplicaSetAvailable",
                        set + " has successfully progressed.", false, now);
  }
  // Its time begins anew.
  if (reason == "DeploymentPaused") {
    return condition_as(json, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed", true,
                        now);
  }
  if (resource::condition(json, "Progressing") == nullptr) {
    return condition_as(json, "Progressing", "True", "NewReplicaSetCreated", "Created new replica set", true,
                        now);
  }
  if (progressed_since(json, counts, wanted) ||
      number(json, "status.observedGeneration") < deployment.metadata().generation) {
    return condition_as(json, "Progressing", "True", "ReplicaSetUpdated", set + " is progressing.", true,
                        now);
  }
  if (deadline_passed(json, now)) {
    return condition_as(json, "Progressing", "False", "ProgressDeadlineExceeded",
                        set + " has timed out progressing.", false, now);
  }
  return *resource::condition(json, "Progressing");
}

}  // namespace

Json deployment_status(const resource::Object& deployment, const RolloutLimits& limits,
                       const std::vector<resource::ObjectPtr>& sets, const resource::Object* newest,
                       WallTime now) {
  const Json& json = deployment.json();
  const std::int64_t wanted = limits.replicas;
  const Counts counts = count(sets, newest);
  Json status = Json::object();
  status["observedGeneration"] = deployment.metadata().generation;
  status["replicas"] = counts.replicas;
  status["updatedReplicas"] = counts.updated;
  status["readyReplicas"] = counts.ready;
  status["availableReplicas"] = counts.available;
  status["unavailableReplicas"] =
      std::max<std::int64_t>(std::max(wanted, counts.replicas) - counts.available, 0);
  const bool enough = counts.available >= wanted - limits.max_unavailable;
  status["conditions"] =
      Json::array({condition_as(json, "Available", enough ? "True" : "False",
                                enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
                                enough ? "Deployment has minimum availability."
                                       : "Deployment does not have minimum availability.",
                                false, now),
                   progressing(deployment, counts, wanted, newest, now)});
  // What keeps a set from making its pods keeps the Deployment too.
  for (const auto& each : sets) {
    const Json* failure = resource::condition(each->json(), "ReplicaFailure");
    if (failure == nullptr || resource::text(*failure, "status") != "True") continue;
    status["conditions"].push_back(condition_as(json, "ReplicaFailure", "True",
                                                resource::text(*failure, "reason"),
                                                resource::text(*failure, "message"), false, now));
    break;
  }
  const std::int64_t collisions = number(json, "status.collisionCount");
  if (collisions > 0) status["collisionCount"] = collisions;
  return status;
}

}  // namespace tidegate::workload
