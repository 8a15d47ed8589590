#include "control/placement/controllers.h"

#include <algorithm>
#include <memory>

#include "control/placement/actions.h"
#include "control/placement/policy_status.h"
#include "control/placement/round.h"

namespace tidegate::placement {

loop::Decision decide(const Kinds& kinds, Cluster& cluster, const Settings& settings, WallTime now) {
  loop::Decision decision;
  const auto is_ours = [&](const PodView& pod) {
    const std::string_view placer = pod.placer.empty() ? std::string_view("default-scheduler") : pod.placer;
    return std::find(settings.names.begin(), settings.names.end(), placer) != settings.names.end();
  };
  std::vector<PodPtr> ours;
  std::copy_if(cluster.pods.begin(), cluster.pods.end(), std::back_inserter(ours),
               [&](const PodPtr& pod) { return is_ours(*pod); });
  const Rules rules{cluster.policies, cluster.budgets};
  const auto outcomes = place_all(cluster.board, ours, rules, now);
  for (const Outcome& outcome : outcomes) act_on(*kinds.pod, outcome, now, decision);
  for (const PodPtr& pod : ours) {
    if (pod->gated && pod->node.empty() && !pod->terminating) say_gated(*kinds.pod, *pod, now, decision);
    if (!pod->node.empty())
      mark_for_scale_in(*kinds.pod, *pod, cluster.board, cluster.policies, decision);
  }
  for (const PolicyView& policy : cluster.policies) {
    say_about_policy(*kinds.policy, policy, cluster.board, cluster.policies, cluster.pods, outcomes, now,
                     decision);
  }
  return decision;
}

std::vector<loop::Controller> controllers(Settings settings) {
  const Kinds kinds = Kinds::find();
  loop::Controller controller;
  controller.name = "placement";
  const auto everything = [](const resource::Object&) { return std::vector<cluster::Key>{{"", "all"}}; };
  for (const resource::Kind* kind : {kinds.pod, kinds.node, kinds.policy, kinds.priority_class,
                                     kinds.name_space, kinds.budget}) {
    if (kind != nullptr) controller.sources.push_back({kind, everything});
  }
  controller.decide = [kinds, settings = std::move(settings), views = std::make_shared<Views>()](
                          const cluster::Key&, const loop::Caches& caches, WallTime now) {
    Cluster cluster = views->read(kinds, caches);
    return decide(kinds, cluster, settings, now);
  };
  return {controller};
}

}  // namespace tidegate::placement
