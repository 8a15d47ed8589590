// One pod, one decision: the unit of placement.
//
//   const Placement placement = place(board, *pod, rules, now);
//   if (placement.node) board.put_on(*placement.node, pod); else say(placement.message);
//
// Without a ResourcePolicy: filter all nodes, take the best, else try preemption. With one: the units are
// walked in order. In each the pod takes the best node that fits; the policy's whenTryNextUnits says whether
// it may go on to the next or has to wait here. With strategy prefer, nodes outside all units come last.
//
// Time enters through units that hold a pod for a while. How long a pod has waited is counted from its
// creation, so that nothing needs to be remembered: the n-th unit that makes it wait lets it go after n
// timeouts.
//
// Thread: pure.
// Source: ACK, "Configure priority-based scheduling for elastic resources"; KEP-594.

#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "control/placement/board.h"
#include "control/placement/view.h"

namespace tidegate::placement {

struct Rules {
  std::span<const PolicyView> policies;
  std::span<const Budget> budgets;
};

struct Placement {
  std::optional<std::string> node;  // bind it there
  // The policy that governs the pod, and the unit of `node`, or the unit where it waits; -1: outside.
  const PolicyView* policy = nullptr;
  int unit = -1;
  bool waits_for_scaling = false;  // at a unit that expects more nodes

  // If there is no node yet:
  std::string nominated;  // room is being made there
  std::vector<PodPtr> victims;
  std::string message;               // kube-scheduler's words
  std::optional<Duration> again_in;  // the walk goes further then, even if nothing changes
};

Placement place(const Board& board, const PodView& pod, const Rules& rules, WallTime now);

// The policies that govern `pod`; more than one is a mistake of the user.
std::vector<const PolicyView*> governing(std::span<const PolicyView> policies, const PodView& pod);

// How many pods count towards the caps of `unit`, and what they request.
struct UnitUse {
  std::int64_t pods = 0;
  Amounts requests;
  bool terminating = false;  // some pod there is about to leave
};
UnitUse use_of(const Board& board, const PolicyView& policy, int unit, const PodView* grouped_with);

}  // namespace tidegate::placement
