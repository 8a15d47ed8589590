#include "control/placement/preempt.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <tuple>

namespace tidegate::placement {
namespace {

struct Candidate {
  const Place* place = nullptr;
  std::vector<PodPtr> victims;  // most important first
  int broken_budgets = 0;
};

bool fits_without(const Board& board, const PodView& pod, const Place& place, const std::vector<PodPtr>& out) {
  return Filter(board, pod, out).check(place) == Why::kFits;
}

// More important first: higher priority, then older.
bool outranks(const PodPtr& a, const PodPtr& b) {
  return std::tie(b->priority, a->created, a->uid) < std::tie(a->priority, b->created, b->uid);
}

// Splits off the pods whose eviction no budget allows any more, in the order given.
std::vector<bool> breaks_budget(const std::vector<PodPtr>& pods, std::span<const Budget> budgets) {
  std::vector<std::int64_t> left;
  for (const Budget& budget : budgets) left.push_back(budget.allowed);
  std::vector<bool> result;
  for (const PodPtr& pod : pods) {
    bool breaks = false;
    for (std::size_t i = 0; i < budgets.size(); ++i) {
      if (budgets[i].covers(*pod) && --left[i] < 0) breaks = true;
    }
    result.push_back(breaks);
  }
  return result;
}

std::optional<Candidate> try_place(const Board& board, const PodView& pod, const Place& place,
                                   std::span<const Budget> budgets) {
  std::vector<PodPtr> lower;
  for (const PodPtr& other : place.pods) {
    if (other->priority < pod.priority) lower.push_back(other);
  }
  if (lower.empty() || !fits_without(board, pod, place, lower)) return {};
  std::sort(lower.begin(), lower.end(), outranks);
  const std::vector<bool> breaks = breaks_budget(lower, budgets);
  Candidate candidate{.place = &place, .victims = lower, .broken_budgets = 0};
  const auto reprieve = [&](bool protected_ones) {
    for (std::size_t i = 0; i < lower.size(); ++i) {
      if (breaks[i] != protected_ones) continue;
      std::vector<PodPtr> fewer = candidate.victims;
      std::erase(fewer, lower[i]);
      if (fits_without(board, pod, place, fewer)) {
        candidate.victims = std::move(fewer);
      } else if (protected_ones) {
        ++candidate.broken_budgets;
      }
    }
  };
  reprieve(true);
  reprieve(false);
  if (candidate.victims.empty()) return {};
  return candidate;
}

bool cheaper(const Candidate& a, const Candidate& b) {
  const auto cost = [](const Candidate& candidate) {
    const std::int64_t sum =
        std::accumulate(candidate.victims.begin(), candidate.victims.end(), std::int64_t{0},
                        [](std::int64_t total, const PodPtr& pod) { return total + pod->priority; });
    return std::tuple(candidate.broken_budgets, candidate.victims.front()->priority, sum,
                      candidate.victims.size());
  };
  if (cost(a) != cost(b)) return cost(a) < cost(b);
  return a.victims.front()->created > b.victims.front()->created;
}

}  // namespace

Preemption preempt(const Board& board, const PodView& pod, std::span<const Budget> budgets,
                   const std::vector<std::pair<const Place*, Why>>& places) {
  Preemption result;
  if (pod.never_preempts) {
    result.message = "preemption: not eligible due to preemptionPolicy=Never.";
    return result;
  }
  if (const Place* promised = board.find(pod.nominated)) {
    const bool leaving = std::any_of(promised->pods.begin(), promised->pods.end(), [&](const PodPtr& other) {
      return other->terminating && other->priority < pod.priority;
    });
    if (leaving) {
      result.node = pod.nominated;
      result.message = "preemption: not eligible due to a terminating pod on the nominated node.";
      return result;
    }
  }
  std::map<std::string, int> reasons;
  std::optional<Candidate> chosen;
  for (const auto& [place, why] : places) {
    if (!preemption_may_help(why)) {
      ++reasons["Preemption is not helpful for scheduling"];
      continue;
    }
    auto candidate = try_place(board, pod, *place, budgets);
    if (!candidate) {
      ++reasons["No preemption victims found for incoming pod"];
    } else if (!chosen || cheaper(*candidate, *chosen)) {
      chosen = std::move(candidate);
    }
  }
  if (chosen) {
    result.node = chosen->place->node->name;
    result.victims = std::move(chosen->victims);
    return result;
  }
  const int unseen = static_cast<int>(board.size()) - static_cast<int>(places.size());
  if (unseen > 0) reasons["Preemption is not helpful for scheduling"] += unseen;
  result.message = "preemption: " + unavailable(board.size(), reasons);
  return result;
}

}  // namespace tidegate::placement
