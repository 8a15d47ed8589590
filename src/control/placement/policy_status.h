// What is said about a ResourcePolicy: whether it matches anything, whether two policies want the same pods,
// how its units are filled and who waits.
//
// Conditions: Matched, Conflicted, Waiting, Exhausted, ScaleInOrdered.
//
// Thread: pure.

#pragma once

#include <span>
#include <string>
#include <vector>

#include "control/loop/decision.h"
#include "control/placement/round.h"

namespace tidegate::placement {

// `pods` are all there are; `outcomes` those of this round.
void say_about_policy(const resource::Kind& policy_kind, const PolicyView& policy, const Board& board,
                      std::span<const PolicyView> policies, std::span<const PodPtr> pods,
                      std::span<const Outcome> outcomes, WallTime now, loop::Decision& decision);

// Why the selector matches nothing: "matches 0 pods: no pod in namespace default has app: isvc.qwen-predictor;
// nearest is app: isvc.qwen-chat-predictor".
std::string why_no_pods(const PolicyView& policy, std::span<const PodPtr> pods);

}  // namespace tidegate::placement
