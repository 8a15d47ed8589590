// Eviction: a pod goes if its PodDisruptionBudget lets it.
//
// Source: Kubernetes, "API-initiated Eviction"; policy/v1 PodDisruptionBudgetStatus.

#include <nlohmann/json.hpp>

#include "base/rfc3339.h"
#include "cluster/apiserver/objects.h"
#include "resource/fields.h"
#include "resource/pod_disruption_budget.h"

namespace tidegate::apiserver {
namespace {

using cluster::ObjectPtr;
using resource::Json;
using resource::PodDisruptionBudget;

constexpr int kAttemptsMax = 20;
constexpr std::size_t kDisruptedMax = 2000;  // evictions that one budget remembers

const resource::Kind& budgets() { return *resource::find_kind("policy/v1", "PodDisruptionBudget"); }

// The budgets that count this pod.
Answer<std::vector<ObjectPtr>> budgets_of(const Context& context, const Call& call,
                                          const resource::Object& pod) {
  auto list = context.client.list(budgets(), pod.namespace_());
  if (!list) return tl::unexpected(status_of(call, list.error()));
  std::erase_if(list->items, [&](const ObjectPtr& object) {
    const auto budget = PodDisruptionBudget::from(*object);
    return !budget || !budget->selector || !budget->selector->matches(pod.metadata().labels);
  });
  return std::move(list->items);
}

// A pod that does not run, or goes already, is nobody's loss.
bool counts(const resource::Object& pod) {
  const std::string phase = resource::text(pod.json(), "status.phase");
  return phase != "Succeeded" && phase != "Failed" && phase != "Pending" && !phase.empty() &&
         pod.metadata().deletion_timestamp.empty();
}

Status refusal(const std::string& cause, int retry_after_s) {
  Status status = plain_status(429, "Cannot evict pod as it would violate the pod's disruption budget.");
  status.causes.push_back({"DisruptionBudget", cause, ""});
  status.retry_after_s = retry_after_s;
  return status;
}

// A pod that is not ready may go where it is missed by nobody: always, or while enough others are healthy.
bool spares_unhealthy(const resource::Object& pod, const ObjectPtr& object) {
  if (resource::condition_is_true(pod.json(), "Ready")) return false;
  const auto budget = PodDisruptionBudget::from(*object);
  if (budget && budget->evict_unhealthy_always) return true;
  const auto healthy = resource::number(object->json(), "status.currentHealthy");
  return healthy > 0 && healthy >= resource::number(object->json(), "status.desiredHealthy");
}

// The budget with one disruption less, or why there is none to take.
Answer<Json> charged(const resource::Object& budget, const resource::Object& pod, WallTime now) {
  const Json& document = budget.json();
  const std::string& name = budget.name();
  if (resource::number(document, "status.observedGeneration") < budget.metadata().generation) {
    return tl::unexpected(
        refusal("The disruption budget " + name + " is still being processed by the server.", 10));
  }
  Json after = document;
  Json& disrupted = after["status"]["disruptedPods"];
  if (!disrupted.is_object()) disrupted = Json::object();
  if (disrupted.size() >= kDisruptedMax) {
    return tl::unexpected(
        plain_status(403, "the disruption budget " + name + " remembers too many evicted pods"));
  }
  const auto allowed = resource::number(document, "status.disruptionsAllowed");
  if (allowed <= 0) {
    const auto figure = [&](const char* field) { return std::to_string(resource::number(document, field)); };
    return tl::unexpected(refusal("The disruption budget " + name + " needs " +
                                      figure("status.desiredHealthy") + " healthy pods and has " +
                                      figure("status.currentHealthy") + " currently",
                                  0));
  }
  after["status"]["disruptionsAllowed"] = allowed - 1;
  disrupted[pod.name()] = rfc3339(now);
  return after;
}

// Takes one disruption from the budget that counts the pod, if there is one.
Answer<void> charge(const Context& context, const Call& call, const resource::Object& pod, bool dry_run) {
  for (int i = 0;; ++i) {
    const auto found = budgets_of(context, call, pod);
    if (!found) return tl::unexpected(found.error());
    if (found->empty()) return {};
    if (found->size() > 1) {
      return tl::unexpected(plain_status(500,
                                         "This pod has more than one PodDisruptionBudget, which the eviction "
                                         "subresource does not support."));
    }
    const ObjectPtr& budget = found->front();
    if (spares_unhealthy(pod, budget)) return {};
    auto after = charged(*budget, pod, context.clock.wall());
    if (!after) return tl::unexpected(after.error());
    if (dry_run) return {};
    const auto written = context.client.update_status(budgets(), *std::move(after), write_options(call));
    if (written) return {};
    if (written.error().code != Code::kConflict || i == kAttemptsMax) {
      return tl::unexpected(status_of(call, written.error()));
    }
  }
}

}  // namespace

Answer<Response> answer_eviction(const Context& context, const Call& call) {
  if (call.method != "POST") return method_not_allowed();
  const auto eviction = body_of(call);
  if (!eviction) return tl::unexpected(eviction.error());
  const std::string named = resource::text(*eviction, "metadata.name");
  if (!named.empty() && named != call.path.name) {
    return bad_request("the name of the eviction (" + named.substr(0, 100) +
                       ") does not match the name on the URL (" + call.path.name + ")");
  }
  const auto pod = read(context, call);
  if (!pod) return tl::unexpected(pod.error());
  const Json* dry = resource::find_array(*eviction, "deleteOptions.dryRun");
  const bool dry_run = call.options.dry_run || (dry != nullptr && !dry->empty());
  if (counts(**pod)) {
    if (auto allowed = charge(context, call, **pod, dry_run); !allowed)
      return tl::unexpected(allowed.error());
  }
  cluster::RemoveOptions how;
  how.dry_run = dry_run;
  how.uid = (*pod)->metadata().uid;
  const auto grace_s = resource::number(*eviction, "deleteOptions.gracePeriodSeconds", -1);
  if (grace_s >= 0) how.grace_s = grace_s;
  if (auto removed = context.client.remove(*call.kind, call.key(), how); !removed) {
    return tl::unexpected(status_of(call, removed.error()));
  }
  return success(201);
}

}  // namespace tidegate::apiserver
