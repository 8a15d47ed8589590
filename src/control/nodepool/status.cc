#include "control/nodepool/status.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/rfc3339.h"
#include "control/nodepool/decide.h"
#include "resource/condition.h"
#include "resource/fields.h"

namespace tidegate::nodepool {
namespace {

using resource::Json;

std::optional<WallTime> time_in(const Json& document, std::string_view path) {
  return parse_rfc3339(resource::text(document, path));
}

Machine read_machine(const Json& item) {
  return {.name = resource::text(item, "name"),
          .phase = phase_of(resource::text(item, "phase")),
          .requested = time_in(item, "requested").value_or(WallTime{}),
          .since = time_in(item, "since").value_or(WallTime{}),
          .registered = resource::flag(item, "registered"),
          .unneeded_since = time_in(item, "unneededSince"),
          .reason = resource::text(item, "reason"),
          .asked_by = resource::text(item, "askedBy"),
          .instance = resource::text(item, "instance")};
}

Json write_machine(const Machine& machine) {
  Json item{{"name", machine.name},
            {"phase", name_of(machine.phase)},
            {"since", rfc3339_ms(machine.since)},
            {"requested", rfc3339_ms(machine.requested)},
            {"registered", machine.registered}};
  if (machine.unneeded_since) item["unneededSince"] = rfc3339_ms(*machine.unneeded_since);
  if (!machine.reason.empty()) item["reason"] = machine.reason;
  if (!machine.asked_by.empty()) item["askedBy"] = machine.asked_by;
  if (!machine.instance.empty()) item["instance"] = machine.instance;
  return item;
}

std::string money(double amount) { return Quantity{std::llround(amount * 1000)}.text(); }

resource::Condition can_grow(const Pool& pool, WallTime now) {
  const std::string why = why_no_growth(pool, now);
  if (why.empty()) return {"CanGrow", "True", "RoomLeft", "the pool may get more machines"};
  if (!pool.backed_off(now)) {
    const bool at_max = pool.active() >= std::min(pool.spec.max, pool.provider_max);
    const bool unasked = !pool.provider_error.empty() || pool.spec.capacity.empty();
    return {"CanGrow", "False",
            at_max    ? "MaxSizeReached"
            : unasked ? "ProviderFailed"
                      : "CostLimitReached",
            why};
  }
  return {"CanGrow", "False", "Backoff",
          why + " until " + rfc3339(*pool.backoff_until) + ": " + pool.backoff_reason};
}

resource::Condition fits_pods(const Pool& pool) {
  if (pool.never_fits.empty())
    return {"FitsPods", "True", "TemplateFits", "no waiting pod is larger than a machine"};
  return {"FitsPods", "False", "LargerThanTemplate", pool.never_fits};
}

resource::Condition provider_ready(const Pool& pool) {
  if (pool.provider_error.empty()) return {"ProviderReady", "True", "Answers", "its provider answers"};
  return {"ProviderReady", "False", "ProviderFailed", pool.provider_error};
}

}  // namespace

Result<Pool> read_pool(const resource::ObjectPtr& object) {
  auto spec = resource::NodePool::from(*object);
  if (!spec) return tl::unexpected(spec.error());
  Pool pool;
  pool.name = object->name();
  pool.spec = std::move(*spec);
  pool.object = object;
  const Json& json = object->json();
  if (const Json* machines = resource::find_array(json, "status.machines")) {
    for (const Json& item : *machines) pool.machines.push_back(read_machine(item));
  }
  pool.launched = resource::number(json, "status.launched");
  pool.failures = static_cast<int>(std::min<std::int64_t>(resource::number(json, "status.failures"), 100));
  pool.backoff_until = time_in(json, "status.backoffUntil");
  pool.backoff_reason = resource::text(json, "status.backoffReason");
  pool.last_added = time_in(json, "status.lastAdded");
  pool.provider_error = resource::text(json, "status.providerError");
  return pool;
}

Json write_pool(const Pool& pool, WallTime now) {
  Json document = pool.object->json();
  Json& status = document["status"];
  if (!status.is_object()) status = Json::object();
  status["observedGeneration"] = pool.object->metadata().generation;
  status["nodes"] = pool.machines.size();
  status["ready"] = pool.count(Phase::kReady);
  status["booting"] = pool.count(Phase::kBooting);
  status["draining"] = pool.count(Phase::kDraining) + pool.count(Phase::kLeaving);
  status["costPerHour"] = money(pool.cost_per_hour());
  status["launched"] = pool.launched;
  status["failures"] = pool.failures;
  Json machines = Json::array();
  for (const Machine& machine : pool.machines) machines.push_back(write_machine(machine));
  status["machines"] = std::move(machines);
  const auto keep = [&](const char* field, const std::optional<WallTime>& time) {
    if (time) {
      status[field] = rfc3339_ms(*time);
    } else {
      status.erase(field);
    }
  };
  keep("backoffUntil", pool.backoff_until);
  keep("lastAdded", pool.last_added);
  if (pool.backoff_until) {
    status["backoffReason"] = pool.backoff_reason;
  } else {
    status.erase("backoffReason");
  }
  std::vector<resource::Condition> conditions = {can_grow(pool, now), fits_pods(pool)};
  status.erase("providerError");
  if (pool.spec.provider == resource::PoolProvider::kExternalGrpc) {
    if (!pool.provider_error.empty()) status["providerError"] = pool.provider_error;
    conditions.push_back(provider_ready(pool));
  }
  for (resource::Condition& condition : conditions) {
    condition.observed_generation = pool.object->metadata().generation;
    resource::set_condition(status["conditions"], condition, rfc3339(now));
  }
  return document;
}

Json node_document(const Pool& pool, const std::string& machine, WallTime now) {
  Json taints = Json::array();
  for (const resource::Taint& taint : pool.spec.taints) {
    taints.push_back(Json{{"key", taint.key}, {"value", taint.value}, {"effect", taint.effect}});
  }
  Json capacity = Json::object();
  for (const auto& [name, quantity] : pool.spec.capacity) capacity[name] = quantity.text();
  Json labels = pool.spec.labels;
  labels["kubernetes.io/hostname"] = machine;
  if (!labels.contains("kubernetes.io/os")) labels["kubernetes.io/os"] = "linux";
  Json metadata{{"name", machine}, {"labels", std::move(labels)}};
  if (!pool.spec.annotations.empty()) metadata["annotations"] = pool.spec.annotations;
  // A pool that is deleted takes its machines along.
  metadata["ownerReferences"] = Json::array({Json{{"apiVersion", pool.object->api_version()},
                                                  {"kind", pool.object->kind()},
                                                  {"name", pool.name},
                                                  {"uid", pool.object->metadata().uid},
                                                  {"controller", true}}});
  // Machines that this home plays are hosted by `tidegate up`, which knows them by this scheme.
  Json spec{{"providerID", "local://" + pool.name + "/" + machine}};
  if (!taints.empty()) spec["taints"] = std::move(taints);
  const Json not_ready{{"type", "Ready"},
                       {"status", "False"},
                       {"reason", "MachineStarting"},
                       {"message", "the machine has started and nobody hosts it yet"},
                       {"lastTransitionTime", rfc3339(now)}};
  return Json{
      {"apiVersion", "v1"},
      {"kind", "Node"},
      {"metadata", std::move(metadata)},
      {"spec", std::move(spec)},
      {"status",
       {{"capacity", capacity}, {"allocatable", capacity}, {"conditions", Json::array({not_ready})}}}};
}

}  // namespace tidegate::nodepool
