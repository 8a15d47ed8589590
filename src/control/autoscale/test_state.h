// States for this room's tests, written in one line.
//
// Pods are blank-separated words: a letter and, after a colon, the sample in whole units.
//   r ready  u running, not ready  p Pending  t terminating  f Failed;  "r:80", "r:-" (no sample), "p"

#pragma once

#include <memory>
#include <sstream>
#include <string>

#include "control/autoscale/decide.h"

namespace tidegate::autoscale::testing {

inline constexpr WallTime kNow{std::chrono::seconds(1'800'000'000)};

inline WallTime at(double s) { return kNow + Duration(static_cast<std::int64_t>(s * 1e9)); }

struct Pods {
  std::vector<PodState> pods;
  Reading reading;
};

inline Pods pods_of(const std::string& text, std::int64_t request_milli = 1000) {
  Pods result;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    PodState pod;
    pod.name = "pod-" + std::to_string(result.pods.size());
    pod.phase = word[0] == 'p' ? Phase::kPending : word[0] == 'f' ? Phase::kFailed : Phase::kRunning;
    pod.ready = word[0] == 'r' || word[0] == 't';
    pod.terminating = word[0] == 't';
    if (word[0] != 'p') {
      pod.started = kNow - std::chrono::hours(1);
      pod.ready_changed = kNow - std::chrono::minutes(50);
    }
    pod.containers = {{"main", {{"cpu", request_milli}, {"memory", request_milli * 1000}}}};
    if (word.size() > 2 && word[1] == ':' && word[2] != '-') {
      result.reading.pods[pod.name] = {std::stoll(word.substr(2)) * 1000, kNow, std::chrono::seconds(30)};
    }
    result.pods.push_back(std::move(pod));
  }
  return result;
}

// An HPA over Deployment default/d with one Pods metric "util" of this target, and its state.
struct World {
  resource::HorizontalPodAutoscaler hpa;
  State state;
  Rule rule{.demand = {}, .period = std::chrono::seconds(15)};
  Memory memory;
  Settings settings;

  explicit World(std::int64_t target = 50) {
    hpa.metadata.name = "h";
    hpa.metadata.namespace_ = "default";
    hpa.target = {"apps/v1", "Deployment", "d"};
    hpa.min_replicas = 1;
    hpa.max_replicas = 3;
    resource::MetricSpec metric;
    metric.name = "util";
    metric.target.average_value = Quantity{target * 1000};
    hpa.metrics = {metric};
    state.scale->selector = "app=d";
  }

  // Replicas wanted, and the pods that are there.
  World& pods(std::int64_t replicas, const std::string& text) {
    Pods made = pods_of(text);
    state.scale->replicas = replicas;
    state.scale->status_replicas = static_cast<std::int64_t>(made.pods.size());
    state.pods = std::move(made.pods);
    state.readings.assign(1, std::move(made.reading));
    return *this;
  }

  // One round; the target then has what was decided.
  Outcome round(WallTime now) {
    state.hpa = &hpa;
    Outcome outcome = decide(state, rule, memory, settings, now);
    memory = outcome.memory;
    if (outcome.replicas) state.scale->replicas = *outcome.replicas;
    return outcome;
  }
};

inline std::string condition(const Outcome& outcome, const std::string& type) {
  for (const resource::Condition& each : outcome.conditions) {
    if (each.type == type) return each.status + " " + each.reason;
  }
  return "none";
}

inline std::string message(const Outcome& outcome, const std::string& type) {
  for (const resource::Condition& each : outcome.conditions) {
    if (each.type == type) return each.message;
  }
  return "none";
}

inline std::string events(const Outcome& outcome) {
  std::string text;
  for (const EventNote& event : outcome.events) {
    text += (text.empty() ? "" : "; ") + event.reason + ": " + event.message;
  }
  return text;
}

}  // namespace tidegate::autoscale::testing
