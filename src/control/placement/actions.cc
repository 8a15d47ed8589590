#include "control/placement/actions.h"

#include <nlohmann/json.hpp>

#include "resource/condition.h"
#include "resource/fields.h"

namespace tidegate::placement {
namespace {

using loop::Action;
using resource::Json;

std::string component_of(const PodView& pod) { return pod.placer.empty() ? "default-scheduler" : pod.placer; }

void put_unit_marks(const resource::Kind& pod_kind, const Outcome& outcome, loop::Decision& decision) {
  const Placement& placement = outcome.placement;
  if (placement.policy == nullptr || placement.unit < 0) return;
  const auto& unit = placement.policy->spec.units[static_cast<std::size_t>(placement.unit)];
  if (unit.pod_labels.empty() && unit.pod_annotations.empty()) return;
  Json metadata = Json::object();
  if (!unit.pod_labels.empty()) metadata["labels"] = unit.pod_labels;
  if (!unit.pod_annotations.empty()) metadata["annotations"] = unit.pod_annotations;
  decision.actions.push_back(Action::patch(pod_kind, *outcome.pod->object, Json{{"metadata", metadata}}));
}

void bind(const resource::Kind& pod_kind, const Outcome& outcome, loop::Decision& decision) {
  const PodView& pod = *outcome.pod;
  const std::string& node = *outcome.placement.node;
  put_unit_marks(pod_kind, outcome, decision);
  decision.actions.push_back(Action::bind(pod_kind, *pod.object, node)
                                 .saying(cluster::normal(*pod.object, "Scheduled",
                                                         "Successfully assigned " + pod.title() + " to " + node)
                                             .from(component_of(pod))));
}

void write_condition(const resource::Kind& pod_kind, const PodView& pod, const std::string& reason,
                     const std::string& message, const std::string& nominated, WallTime now,
                     loop::Decision& decision) {
  Json document = pod.object->json();
  Json& status = document["status"];
  status["phase"] = "Pending";
  resource::set_condition(
      status["conditions"],
      {.type = "PodScheduled", .status = "False", .reason = reason, .message = message}, rfc3339(now));
  if (nominated.empty()) {
    status.erase("nominatedNodeName");
  } else {
    status["nominatedNodeName"] = nominated;
  }
  decision.actions.push_back(Action::update_status(pod_kind, std::move(document), "waits: " + message));
}

}  // namespace

void act_on(const resource::Kind& pod_kind, const Outcome& outcome, WallTime now, loop::Decision& decision) {
  const PodView& pod = *outcome.pod;
  const Placement& placement = outcome.placement;
  if (placement.again_in && (!decision.again_in || *placement.again_in < *decision.again_in))
    decision.again_in = placement.again_in;
  if (placement.node) {
    bind(pod_kind, outcome, decision);
    return;
  }
  for (const PodPtr& victim : placement.victims) {
    if (victim->terminating) continue;
    decision.actions.push_back(
        Action::remove(pod_kind, *victim->object, "preempted by " + pod.title())
            .saying(cluster::normal(*victim->object, "Preempted",
                                    "Preempted by pod " + pod.uid + " on node " + placement.nominated)
                        .from(component_of(pod))));
  }
  const bool said = pod.told_message == placement.message && pod.told_reason == "Unschedulable";
  if (said && pod.nominated == placement.nominated) return;
  write_condition(pod_kind, pod, "Unschedulable", placement.message, placement.nominated, now, decision);
  if (said) return;
  decision.events.push_back(
      cluster::warning(*pod.object, "FailedScheduling", placement.message).from(component_of(pod)));
}

void say_gated(const resource::Kind& pod_kind, const PodView& pod, WallTime now, loop::Decision& decision) {
  if (pod.told_reason == "SchedulingGated") return;
  write_condition(pod_kind, pod, "SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates",
                  "", now, decision);
}

bool cost_is_users(const PodView& pod) {
  return pod.annotations.contains(std::string(kDeletionCost)) &&
         !pod.annotations.contains(std::string(kCostOwner));
}

void mark_for_scale_in(const resource::Kind& pod_kind, const PodView& pod, const Board& board,
                       std::span<const PolicyView> policies, loop::Decision& decision) {
  if (pod.terminating || pod.ended || cost_is_users(pod)) return;
  const Place* place = board.find(pod.node);
  if (place == nullptr) return;
  const auto governed_by = governing(policies, pod);
  const auto owner = pod.annotations.find(std::string(kCostOwner));
  const bool marked = owner != pod.annotations.end();
  if (governed_by.size() != 1) {
    if (marked && governed_by.empty()) {
      const Json nothing{{std::string(kDeletionCost), nullptr}, {std::string(kCostOwner), nullptr}};
      decision.actions.push_back(
          Action::patch(pod_kind, *pod.object, Json{{"metadata", {{"annotations", nothing}}}}));
    }
    return;
  }
  const PolicyView& policy = *governed_by.front();
  const int unit = policy.unit_of(*place->node);
  const std::size_t rank = unit < 0 ? policy.spec.units.size() : static_cast<std::size_t>(unit);
  const std::string cost = rank == 0 ? "0" : "-" + std::to_string(rank);
  const auto before = pod.annotations.find(std::string(kDeletionCost));
  if (marked && owner->second == policy.name && before != pod.annotations.end() && before->second == cost) return;
  const Json annotations{{std::string(kDeletionCost), cost}, {std::string(kCostOwner), policy.name}};
  decision.actions.push_back(
      Action::patch(pod_kind, *pod.object, Json{{"metadata", {{"annotations", annotations}}}}));
}

}  // namespace tidegate::placement
