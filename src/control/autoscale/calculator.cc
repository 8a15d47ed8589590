#include "control/autoscale/calculator.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace tidegate::autoscale {
namespace {

constexpr double kReplicasMax = std::numeric_limits<std::int32_t>::max();

std::int64_t round_up(double replicas) {
  return static_cast<std::int64_t>(std::clamp(std::ceil(replicas), 0.0, kReplicasMax));
}

Error problem(std::string message) { return {Code::kUnavailable, {}, std::move(message)}; }

// Samples of pods that count, and the pods whose samples must be made up.
struct Groups {
  std::map<std::string, std::int64_t> ready;
  std::set<std::string> unready;  // coming up: known to do nothing yet
  std::set<std::string> missing;  // should have a sample and has none
};

// Only cpu: while a pod starts, its usage says nothing about its load.
bool is_starting(const PodState& pod, const PodSample& sample, const Settings& settings, WallTime now) {
  if (!pod.ready_changed || !pod.started) return true;
  if (*pod.started + settings.cpu_initialization_period > now) {
    return !pod.ready || sample.time < *pod.ready_changed + sample.window;
  }
  return !pod.ready && *pod.started + settings.initial_readiness_delay > *pod.ready_changed;
}

Groups group(const Measured& measured, std::string_view resource, const Settings& settings, WallTime now) {
  Groups groups;
  for (const auto& [name, sample] : measured.reading.pods) groups.ready.emplace(name, sample.milli);
  for (const PodState& pod : measured.pods) {
    if (pod.terminating || pod.phase == Phase::kFailed) {
      groups.ready.erase(pod.name);
      continue;
    }
    if (pod.phase == Phase::kPending) {
      groups.ready.erase(pod.name);
      groups.unready.insert(pod.name);
      continue;
    }
    const auto sample = measured.reading.pods.find(pod.name);
    if (sample == measured.reading.pods.end()) {
      groups.missing.insert(pod.name);
    } else if (resource == "cpu" && is_starting(pod, sample->second, settings, now)) {
      groups.ready.erase(pod.name);
      groups.unready.insert(pod.name);
    }
  }
  return groups;
}

// Turns the ratio of the ready pods into replicas. `made_up` fills in a pod's value; `ratio_of` measures
// again.
template <typename Ratio, typename Full>
std::int64_t replicas_for(double ratio, Groups& groups, std::int64_t counted, const Measured& measured,
                          Ratio ratio_of, Full full) {
  const bool counts_unready = !groups.unready.empty() && ratio > 1.0;
  if (!counts_unready && groups.missing.empty()) {
    if (measured.tolerance.holds(ratio)) return measured.current;
    return round_up(ratio * static_cast<double>(counted));
  }
  // What is not known is taken to speak against the change. (At a ratio of exactly 1 Kubernetes' code takes a
  // missing pod for idle where the metric is no resource, and scales in. Its documentation does not, nor do
  // we: missing samples never scale anything in.)
  for (const std::string& pod : groups.missing) {
    if (ratio < 1.0) groups.ready[pod] = full(pod);
    if (ratio > 1.0) groups.ready[pod] = 0;
  }
  if (counts_unready) {
    for (const std::string& pod : groups.unready) groups.ready[pod] = 0;
  }
  const double again = ratio_of(groups.ready);
  const bool turned = (ratio < 1.0 && again > 1.0) || (ratio > 1.0 && again < 1.0);
  if (measured.tolerance.holds(again) || turned) return measured.current;
  const std::int64_t replicas = round_up(again * static_cast<double>(groups.ready.size()));
  const bool wrong_way =
      (again < 1.0 && replicas > measured.current) || (again > 1.0 && replicas < measured.current);
  return wrong_way ? measured.current : replicas;
}

std::int64_t sum(const std::map<std::string, std::int64_t>& values) {
  std::int64_t total = 0;
  for (const auto& [name, value] : values) total += value;
  return total;
}

std::int64_t sum(const std::vector<std::int64_t>& values) {
  std::int64_t total = 0;
  for (const std::int64_t value : values) total += value;
  return total;
}

Result<std::map<std::string, std::int64_t>> requests_of(const std::vector<PodState>& pods,
                                                        std::string_view resource,
                                                        std::string_view container) {
  std::map<std::string, std::int64_t> requests;
  for (const PodState& pod : pods) {
    std::int64_t total = 0;
    for (const PodState::Container& each : pod.containers) {
      if (!container.empty() && each.name != container) continue;
      const auto found = each.requests.find(std::string(resource));
      if (found == each.requests.end()) {
        return tl::unexpected(problem("missing request for " + std::string(resource) + " in container " +
                                      each.name + " of Pod " + pod.name));
      }
      total += found->second;
    }
    requests[pod.name] = total;
  }
  return requests;
}

// How many of the groups' ready samples belong to pods that are there; a sample of a pod that is gone is
// none.
std::int64_t ready_pods(const Measured& measured, const Groups& groups) {
  return std::count_if(measured.pods.begin(), measured.pods.end(),
                       [&](const PodState& pod) { return groups.ready.contains(pod.name); });
}

constexpr const char* kNoPods = "no pods returned by selector while calculating replica count";
constexpr const char* kNoReadyPods = "did not receive metrics for any ready pods";

}  // namespace

Result<Proposal> by_average_value(const Measured& measured, std::int64_t target, std::string_view resource,
                                  const Settings& settings, WallTime now) {
  if (measured.pods.empty()) return tl::unexpected(problem(kNoPods));
  Groups groups = group(measured, resource, settings, now);
  if (groups.ready.empty()) return tl::unexpected(problem(kNoReadyPods));
  const auto mean = [](const std::map<std::string, std::int64_t>& values) {
    return sum(values) / static_cast<std::int64_t>(values.size());
  };
  const auto ratio_of = [&](const std::map<std::string, std::int64_t>& values) {
    return static_cast<double>(mean(values)) / static_cast<double>(target);
  };
  Proposal proposal;
  proposal.status.known = true;
  proposal.status.average_value = mean(groups.ready);
  const double ratio = ratio_of(groups.ready);
  const std::int64_t counted = ready_pods(measured, groups);
  proposal.replicas =
      replicas_for(ratio, groups, counted, measured, ratio_of, [&](const std::string&) { return target; });
  return proposal;
}

Result<Proposal> by_utilization(const Measured& measured, std::int64_t target_percent,
                                std::string_view resource, std::string_view container,
                                const Settings& settings, WallTime now) {
  if (measured.pods.empty()) return tl::unexpected(problem(kNoPods));
  Groups groups = group(measured, resource, settings, now);
  const auto requests = requests_of(measured.pods, resource, container);
  if (!requests) return tl::unexpected(requests.error());
  if (groups.ready.empty()) return tl::unexpected(problem(kNoReadyPods));

  struct Use {
    std::int64_t percent = 0;
    std::int64_t mean = 0;
    bool valid = false;
  };
  const auto use_of = [&](const std::map<std::string, std::int64_t>& values) {
    std::int64_t used = 0;
    std::int64_t requested = 0;
    std::int64_t entries = 0;
    for (const auto& [name, value] : values) {
      const auto request = requests->find(name);
      if (request == requests->end()) continue;
      used += value;
      requested += request->second;
      ++entries;
    }
    if (requested == 0) return Use{};
    return Use{used * 100 / requested, used / entries, true};
  };
  const auto ratio_of = [&](const std::map<std::string, std::int64_t>& values) {
    return static_cast<double>(use_of(values).percent) / static_cast<double>(target_percent);
  };
  const Use use = use_of(groups.ready);
  if (!use.valid) return tl::unexpected(problem("no metrics returned matched known pods"));
  Proposal proposal;
  proposal.status = {.known = true, .value = {}, .average_value = use.mean, .utilization = use.percent};
  const double ratio = ratio_of(groups.ready);
  const std::int64_t counted = ready_pods(measured, groups);
  proposal.replicas = replicas_for(ratio, groups, counted, measured, ratio_of,
                                   [&](const std::string& pod) { return requests->at(pod); });
  return proposal;
}

Result<Proposal> by_value(const Measured& measured, std::int64_t target) {
  const std::int64_t total = sum(measured.reading.values);
  const double ratio = static_cast<double>(total) / static_cast<double>(target);
  Proposal proposal;
  proposal.status.known = true;
  proposal.status.value = total;
  if (measured.current == 0) {
    proposal.replicas = round_up(ratio);
    return proposal;
  }
  if (measured.tolerance.holds(ratio)) {
    proposal.replicas = measured.current;
    return proposal;
  }
  if (measured.pods.empty()) {
    return tl::unexpected(problem(std::string("unable to calculate ready pods: ") + kNoPods));
  }
  const auto ready = std::count_if(measured.pods.begin(), measured.pods.end(), [](const PodState& pod) {
    return pod.phase == Phase::kRunning && pod.ready;
  });
  proposal.replicas = round_up(ratio * static_cast<double>(ready));
  return proposal;
}

Result<Proposal> by_value_per_replica(const Measured& measured, std::int64_t target) {
  const std::int64_t total = sum(measured.reading.values);
  const auto wanted = static_cast<double>(total) / static_cast<double>(target);
  const std::int64_t replicas = measured.status_replicas;
  Proposal proposal;
  proposal.status.known = true;
  // Without replicas there is no ratio, so nothing is within tolerance.
  const bool keep = replicas > 0 && measured.tolerance.holds(wanted / static_cast<double>(replicas));
  proposal.replicas = keep ? replicas : round_up(wanted);
  proposal.status.average_value =
      replicas > 0
          ? static_cast<std::int64_t>(std::ceil(static_cast<double>(total) / static_cast<double>(replicas)))
          : 0;
  return proposal;
}

}  // namespace tidegate::autoscale
