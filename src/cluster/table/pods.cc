// How kubectl sums up a pod in one word and one line.

#include <nlohmann/json.hpp>

#include "cluster/table/cells.h"
#include "resource/fields.h"

namespace tidegate::table {
namespace {

using resource::find;
using resource::flag;
using resource::text;

struct Summary {
  std::string reason;
  int ready = 0;
  int total = 0;
  std::int64_t restarts = 0;
  std::string last_restart;  // RFC 3339, compares as text

  void count(const Json& status) {
    restarts += number(status, "restartCount");
    last_restart = std::max(last_restart, text(status, "lastState.terminated.finishedAt"));
  }
};

// "Error", or "ExitCode:3", "Signal:9" if no reason is given.
std::string ended(const Json& status) {
  const std::string reason = text(status, "state.terminated.reason");
  if (!reason.empty()) return reason;
  const std::int64_t signal = number(status, "state.terminated.signal");
  if (signal != 0) return "Signal:" + std::to_string(signal);
  return "ExitCode:" + std::to_string(number(status, "state.terminated.exitCode"));
}

bool is_sidecar(const Json& pod, const std::string& container) {
  for (const Json& item : items(pod, "spec.initContainers")) {
    if (text(item, "name") == container) return text(item, "restartPolicy") == "Always";
  }
  return false;
}

// The first init container that is not done says what the pod waits for. Returns whether there is one.
bool summarize_init(const Json& pod, Summary& summary, Summary& sidecars) {
  std::size_t index = 0;
  for (const Json& status : items(pod, "status.initContainerStatuses")) {
    const bool sidecar = is_sidecar(pod, text(status, "name"));
    summary.count(status);
    if (sidecar) sidecars.count(status);
    const bool terminated = find(status, "state.terminated") != nullptr;
    const std::string waiting = text(status, "state.waiting.reason");
    const bool done = (terminated && number(status, "state.terminated.exitCode") == 0) ||
                      (sidecar && flag(status, "started"));
    if (done) {
      if (sidecar && flag(status, "ready")) ++summary.ready;
      ++index;
      continue;
    }
    if (terminated) {
      summary.reason = "Init:" + ended(status);
    } else if (!waiting.empty() && waiting != "PodInitializing") {
      summary.reason = "Init:" + waiting;
    } else {
      summary.reason =
          "Init:" + std::to_string(index) + "/" + std::to_string(items(pod, "spec.initContainers").size());
    }
    return true;
  }
  return false;
}

void summarize_containers(const Json& pod, Summary& summary) {
  bool running = false;
  const Json& statuses = items(pod, "status.containerStatuses");
  for (auto status = statuses.rbegin(); status != statuses.rend(); ++status) {
    summary.count(*status);
    const std::string waiting = text(*status, "state.waiting.reason");
    if (!waiting.empty()) {
      summary.reason = waiting;
    } else if (find(*status, "state.terminated") != nullptr) {
      summary.reason = ended(*status);
    } else if (flag(*status, "ready") && find(*status, "state.running") != nullptr) {
      running = true;
      ++summary.ready;
    }
  }
  if (summary.reason == "Completed" && running)
    summary.reason = condition(pod, "Ready") == "True" ? "Running" : "NotReady";
}

Summary summarize(const Json& pod) {
  Summary summary;
  summary.total = static_cast<int>(items(pod, "spec.containers").size());
  for (const Json& item : items(pod, "spec.initContainers")) {
    if (text(item, "restartPolicy") == "Always") ++summary.total;
  }
  const std::string phase = text_or(pod, "status.phase", "Unknown");
  const std::string status_reason = text(pod, "status.reason");
  summary.reason = status_reason.empty() ? phase : status_reason;
  const Json* scheduled = resource::condition(pod, "PodScheduled");
  if (scheduled != nullptr && text(*scheduled, "reason") == "SchedulingGated")
    summary.reason = "SchedulingGated";

  Summary sidecars;
  const bool initializing = summarize_init(pod, summary, sidecars);
  if (!initializing || condition(pod, "Initialized") == "True") {
    summary.restarts = sidecars.restarts;
    summary.last_restart = sidecars.last_restart;
    summarize_containers(pod, summary);
  }
  if (!text(pod, "metadata.deletionTimestamp").empty()) {
    if (status_reason == "NodeLost") {
      summary.reason = "Unknown";
    } else if (phase != "Succeeded" && phase != "Failed") {
      summary.reason = "Terminating";
    }
  }
  return summary;
}

std::string readiness_gates(const Json& pod) {
  const Json& gates = items(pod, "spec.readinessGates");
  if (gates.empty()) return kNone;
  std::size_t met = 0;
  for (const Json& gate : gates) {
    if (condition(pod, text(gate, "conditionType")) == "True") ++met;
  }
  return std::to_string(met) + "/" + std::to_string(gates.size());
}

Json pod_cells(const Json& pod, WallTime now) {
  const Summary summary = summarize(pod);
  std::string restarts = std::to_string(summary.restarts);
  if (summary.restarts != 0 && !summary.last_restart.empty()) {
    restarts += " (" + since(summary.last_restart, now) + " ago)";
  }
  return Json::array({name(pod), std::to_string(summary.ready) + "/" + std::to_string(summary.total),
                      summary.reason, restarts, age(pod, now), text_or(pod, "status.podIP"),
                      text_or(pod, "spec.nodeName"), text_or(pod, "status.nominatedNodeName"),
                      readiness_gates(pod)});
}

}  // namespace

std::span<const Layout> pod_layouts() {
  static const Layout kLayouts[] = {{"",
                                     "Pod",
                                     {{"Name"},
                                      {"Ready"},
                                      {"Status"},
                                      {"Restarts"},
                                      {"Age"},
                                      {"IP", "string", 1},
                                      {"Node", "string", 1},
                                      {"Nominated Node", "string", 1},
                                      {"Readiness Gates", "string", 1}},
                                     pod_cells}};
  return kLayouts;
}

}  // namespace tidegate::table
