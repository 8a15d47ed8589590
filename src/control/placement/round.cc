#include "control/placement/round.h"

#include <algorithm>
#include <tuple>

namespace tidegate::placement {

bool waits(const PodView& pod) { return pod.node.empty() && !pod.terminating && !pod.ended && !pod.gated; }

PodPtr placed(const PodView& pod, const Placement& placement) {
  auto copy = std::make_shared<PodView>(pod);
  copy->node = *placement.node;
  copy->nominated.clear();
  if (placement.policy != nullptr && placement.unit >= 0) {
    const auto& unit = placement.policy->spec.units[static_cast<std::size_t>(placement.unit)];
    for (const auto& [key, value] : unit.pod_labels) copy->labels[key] = value;
  }
  return copy;
}

std::vector<Outcome> place_all(Board& board, std::span<const PodPtr> pods, const Rules& rules, WallTime now) {
  std::vector<PodPtr> queue;
  for (const PodPtr& pod : pods) {
    if (waits(*pod)) queue.push_back(pod);
  }
  std::stable_sort(queue.begin(), queue.end(), [](const PodPtr& a, const PodPtr& b) {
    return std::tie(b->priority, a->created) < std::tie(a->priority, b->created);
  });
  std::vector<Outcome> outcomes;
  for (const PodPtr& pod : queue) {
    Placement placement;
    if (pod->flaw.empty()) {
      placement = place(board, *pod, rules, now);
    } else {
      placement.message = pod->flaw;
    }
    if (placement.node) {
      board.put_on(*placement.node, placed(*pod, placement));
    } else if (!placement.nominated.empty() && placement.nominated != pod->nominated) {
      board.nominate(placement.nominated, pod);
    }
    outcomes.push_back({pod, std::move(placement)});
  }
  return outcomes;
}

}  // namespace tidegate::placement
