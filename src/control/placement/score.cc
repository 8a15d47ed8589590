#include "control/placement/score.h"

#include <algorithm>
#include <cmath>

namespace tidegate::placement {
namespace {

constexpr double kFull = 100;

// Spreads values over 0 to 100; all equal count for nothing.
void add_normalized(std::vector<double>& totals, const std::vector<double>& values, double weight,
                    bool less_is_better = false) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  if (*low == *high) return;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double share = (values[i] - *low) / (*high - *low);
    totals[i] += weight * kFull * (less_is_better ? 1 - share : share);
  }
}

double used_share(const Place& place, const PodView& pod, std::string_view resource) {
  const double has = static_cast<double>(place.node->allocatable.of(resource));
  if (has <= 0) return 1;
  return std::min(1.0, static_cast<double>(place.used.of(resource) + pod.requests.of(resource)) / has);
}

double room_score(const Place& place, const PodView& pod) {
  const double cpu = used_share(place, pod, kCpu);
  const double memory = used_share(place, pod, kMemory);
  const double least_allocated = kFull * (1 - (cpu + memory) / 2);
  const double balanced = kFull * (1 - std::abs(cpu - memory) / 2);
  return least_allocated + balanced;
}

// What is counted in pieces: full nodes first; for a pod that asks for none, nodes without any first.
double pieces_score(const Place& place, const PodView& pod) {
  double wanted = 0;
  double share = 0;
  bool has_some = false;
  for (const auto& [name, milli] : place.node->allocatable) {
    if (!is_extended(name) || milli <= 0) continue;
    has_some = true;
    if (pod.requests.of(name) <= 0) continue;
    ++wanted;
    share += used_share(place, pod, name);
  }
  if (wanted > 0) return kFull * share / wanted;
  return has_some ? 0 : kFull;
}

double taint_count(const Place& place, const PodView& pod) {
  return static_cast<double>(
      std::count_if(place.node->taints.begin(), place.node->taints.end(), [&](const resource::Taint& taint) {
        return taint.effect == "PreferNoSchedule" && !tolerates(pod.tolerations, taint);
      }));
}

double preferred_nodes(const Place& place, const PodView& pod) {
  double total = 0;
  for (const resource::PreferredNodeTerm& preferred : pod.affinity.node_preferred) {
    if (preferred.term.matches(place.node->labels, place.node->name))
      total += static_cast<double>(preferred.weight);
  }
  return total;
}

// Sum of the weights of preferred terms, by what runs in the same domain.
std::vector<double> preferred_neighbours(const Board& board, const PodView& pod,
                                         const std::vector<const Place*>& fitting) {
  std::map<std::pair<std::string, std::string>, double> by_domain;
  const auto collect = [&](const std::vector<resource::PreferredPodTerm>& terms, double sign) {
    for (const resource::PreferredPodTerm& preferred : terms) {
      for (const auto& [name, place] : board.places()) {
        const auto domain = place.node->labels.find(preferred.term.topology_key);
        if (domain == place.node->labels.end()) continue;
        for (const PodPtr& other : place.pods) {
          if (means(preferred.term, pod, *other, board))
            by_domain[{domain->first, domain->second}] += sign * static_cast<double>(preferred.weight);
        }
      }
    }
  };
  collect(pod.affinity.pod_preferred, 1);
  collect(pod.affinity.anti_preferred, -1);
  std::vector<double> values(fitting.size(), 0);
  for (const auto& [domain, weight] : by_domain) {
    for (std::size_t i = 0; i < fitting.size(); ++i) {
      const auto label = fitting[i]->node->labels.find(domain.first);
      if (label != fitting[i]->node->labels.end() && label->second == domain.second) values[i] += weight;
    }
  }
  return values;
}

template <typename Value>
std::vector<double> values_of(const std::vector<const Place*>& fitting, Value&& value) {
  std::vector<double> values;
  values.reserve(fitting.size());
  for (const Place* place : fitting) values.push_back(value(*place));
  return values;
}

}  // namespace

const Place* best(const Board& board, const PodView& pod, const Filter& filter,
                  const std::vector<const Place*>& fitting) {
  if (fitting.size() == 1) return fitting.front();
  std::vector<double> totals = values_of(
      fitting, [&](const Place& place) { return room_score(place, pod) + 2 * pieces_score(place, pod); });
  add_normalized(totals, values_of(fitting, [&](const Place& place) { return taint_count(place, pod); }), 3,
                 true);
  if (!pod.affinity.node_preferred.empty())
    add_normalized(totals, values_of(fitting, [&](const Place& p) { return preferred_nodes(p, pod); }), 2);
  if (filter.counts_crowding()) {
    const auto crowds = values_of(
        fitting, [&](const Place& place) { return static_cast<double>(filter.crowding(*place.node)); });
    add_normalized(totals, crowds, 2, true);
  }
  if (!pod.affinity.pod_preferred.empty() || !pod.affinity.anti_preferred.empty())
    add_normalized(totals, preferred_neighbours(board, pod, fitting), 2);
  const auto top = std::max_element(totals.begin(), totals.end());
  return fitting[static_cast<std::size_t>(top - totals.begin())];
}

}  // namespace tidegate::placement
