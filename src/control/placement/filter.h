// Whether a pod can run on a node, and if not, why: kube-scheduler's filters, in its order and its words.
//
// A Filter is made once per pod: it counts what concerns the pod all over the board (topology spread, pod
// affinity), then answers for each node.
//
// Thread: one Filter, one thread; the board must not change meanwhile.
// Source: kubernetes/kubernetes pkg/scheduler/framework/plugins (default order), "Assigning Pods to Nodes".

#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/placement/board.h"
#include "control/placement/view.h"

namespace tidegate::placement {

enum class Why {
  kFits,
  kUnschedulable,
  kTaint,
  kNodeAffinity,
  kPorts,
  kResources,
  kSpreadLabel,
  kSpread,
  kAffinity,
  kAntiAffinity,
  kOthersAntiAffinity,
};

// Removing pods could change it.
constexpr bool preemption_may_help(Why why) {
  return why == Why::kPorts || why == Why::kResources || why == Why::kSpread || why == Why::kAntiAffinity ||
         why == Why::kOthersAntiAffinity;
}

class Filter {
 public:
  // `without` are uids of pods to leave out of every count: victims on trial.
  Filter(const Board& board, const PodView& pod, std::span<const PodPtr> without = {});

  Why check(const Place& place) const;
  // kube-scheduler's words for what check() said of this place.
  std::vector<std::string> reasons(const Place& place, Why why) const;

  // Pods that match each ScheduleAnyway constraint in this node's domains; for scoring.
  std::int64_t crowding(const NodeView& node) const;
  bool counts_crowding() const { return counts_crowding_; }

 private:
  struct Spread {
    const resource::SpreadConstraint* constraint;
    std::map<std::string, std::int64_t, std::less<>> counts;  // per domain
    std::int64_t least = 0;
    std::int64_t self = 0;
  };
  using Domain = std::pair<std::string, std::string>;  // topology key and value

  void count_spread();
  void count_affinity();
  bool left_out(const PodView& pod) const;
  bool has_room(const Place& place) const;
  Why check_spread(const NodeView& node) const;
  Why check_affinity(const NodeView& node) const;

  const Board& board_;
  const PodView& pod_;
  std::span<const PodPtr> without_;
  std::vector<Spread> spreads_;
  bool counts_crowding_ = false;
  std::vector<std::set<std::string, std::less<>>> affine_;  // per required term: domains with a match
  bool bootstraps_ = false;  // nobody matches yet, and the pod matches its own terms
  std::set<Domain> repelled_;   // by its own anti-affinity
  std::set<Domain> forbidden_;  // by that of others
};

// Whether `term`, written in a pod of `home`, means `other`.
bool means(const resource::PodTerm& term, const PodView& home, const PodView& other, const Board& board);

// "0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 1 node(s) were unschedulable."
std::string unavailable(std::size_t nodes, const std::map<std::string, int>& reasons);

}  // namespace tidegate::placement
