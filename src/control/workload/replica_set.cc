#include "control/workload/replica_set.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/rfc3339.h"
#include "control/workload/names.h"
#include "resource/condition.h"
#include "resource/fields.h"

namespace tidegate::workload {
namespace {

using loop::Action;
using loop::Decision;
using resource::Json;

bool has_all_labels(const resource::Object& pod, const std::map<std::string, std::string>& labels) {
  return std::all_of(labels.begin(), labels.end(), [&](const auto& label) {
    const auto found = pod.metadata().labels.find(label.first);
    return found != pod.metadata().labels.end() && found->second == label.second;
  });
}

void make_up_the_difference(const Kinds& kinds, const resource::Object& set, std::vector<PodFacts> active,
                            WallTime now, Random& random, Decision& decision) {
  const std::int64_t wanted = resource::number(set.json(), "spec.replicas", 1);
  const auto have = static_cast<std::int64_t>(active.size());
  for (std::int64_t i = have; i < std::min(wanted, have + kBurst); ++i) {
    Json pod = make_pod(set, random);
    auto made =
        cluster::normal(set, "SuccessfulCreate", "Created pod: " + resource::text(pod, "metadata.name"));
    auto failed = cluster::warning(set, "FailedCreate", "Error creating");
    decision.actions.push_back(
        Action::create(*kinds.pod, std::move(pod), "scale out").saying(std::move(made), std::move(failed)));
  }
  if (have <= wanted) return;
  sort_victims_first(active, now);
  const std::int64_t surplus = std::min(have - wanted, kBurst);
  for (std::int64_t i = 0; i < surplus; ++i) {
    const PodFacts& victim = active[static_cast<std::size_t>(i)];
    auto gone = cluster::normal(set, "SuccessfulDelete", "Deleted pod: " + victim.object->name());
    decision.actions.push_back(
        Action::remove(*kinds.pod, *victim.object, "scale in").saying(std::move(gone)));
  }
}

Json status_of(const resource::Object& set, const std::vector<PodFacts>& active, Duration min_ready,
               WallTime now) {
  const auto labels = resource::text_map(set.json(), "spec.template.metadata.labels");
  const auto count = [&](auto&& test) { return std::count_if(active.begin(), active.end(), test); };
  Json status = Json::object();
  status["replicas"] = active.size();
  status["fullyLabeledReplicas"] =
      count([&](const PodFacts& p) { return has_all_labels(*p.object, labels); });
  status["readyReplicas"] = count([](const PodFacts& p) { return p.ready; });
  status["availableReplicas"] = count([&](const PodFacts& p) { return available(p, min_ready, now); });
  status["observedGeneration"] = set.metadata().generation;
  return status;
}

}  // namespace

std::vector<Action> report_failure(const Kinds& kinds, const resource::Object& set, const Error& error,
                                   WallTime now) {
  Json document = set.json();
  Json& conditions = document["status"]["conditions"];
  const bool news = resource::set_condition(
      conditions,
      {.type = "ReplicaFailure", .status = "True", .reason = "FailedCreate", .message = describe(error)},
      rfc3339(now));
  std::vector<Action> actions;
  if (news) actions.push_back(Action::update_status(*kinds.replica_set, std::move(document)));
  return actions;
}

Kinds Kinds::find() {
  Kinds kinds{resource::find_kind("apps/v1", "Deployment"), resource::find_kind("apps/v1", "ReplicaSet"),
              resource::find_kind("v1", "Pod")};
  TG_CHECK(kinds.deployment != nullptr && kinds.replica_set != nullptr && kinds.pod != nullptr);
  return kinds;
}

Json make_pod(const resource::Object& set, Random& random) {
  Json pod = Json::object();
  pod["apiVersion"] = "v1";
  pod["kind"] = "Pod";
  const Json* pod_template = resource::find(set.json(), "spec.template");
  Json metadata = Json::object();
  metadata["name"] = name_with_suffix(set.name() + "-", random);
  metadata["generateName"] = set.name() + "-";
  metadata["namespace"] = set.namespace_();
  for (const char* member : {"labels", "annotations", "finalizers"}) {
    const Json* value =
        pod_template == nullptr ? nullptr : resource::find(*pod_template, std::string("metadata.") + member);
    if (value != nullptr) metadata[member] = *value;
  }
  metadata["ownerReferences"] = Json::array({Json{{"apiVersion", set.api_version()},
                                                  {"kind", "ReplicaSet"},
                                                  {"name", set.name()},
                                                  {"uid", set.metadata().uid},
                                                  {"controller", true},
                                                  {"blockOwnerDeletion", true}}});
  pod["metadata"] = std::move(metadata);
  const Json* spec = pod_template == nullptr ? nullptr : resource::find(*pod_template, "spec");
  pod["spec"] = spec == nullptr ? Json::object() : *spec;
  return pod;
}

Decision decide_replica_set(const Kinds& kinds, const resource::Object& set,
                            const std::vector<PodFacts>& pods, WallTime now, Random& random) {
  Decision decision;
  std::vector<PodFacts> active;
  std::copy_if(pods.begin(), pods.end(), std::back_inserter(active),
               [](const PodFacts& pod) { return pod.active(); });
  const Duration min_ready = std::chrono::seconds(resource::number(set.json(), "spec.minReadySeconds"));

  if (set.metadata().deletion_timestamp.empty()) {
    make_up_the_difference(kinds, set, active, now, random, decision);
  }

  Json status = status_of(set, active, min_ready, now);
  const Json* before = resource::find(set.json(), "status");
  if (before == nullptr || !resource::same_content(*before, status)) {
    Json document = set.json();
    document["status"] = std::move(status);
    decision.actions.push_back(Action::update_status(*kinds.replica_set, std::move(document)));
  }
  for (const PodFacts& pod : active) {
    const auto wait = available_in(pod, min_ready, now);
    if (wait) decision.again_in = std::min(decision.again_in.value_or(*wait), *wait);
  }
  return decision;
}

}  // namespace tidegate::workload
