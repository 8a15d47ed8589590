#include "machine/pod_status.h"

#include <nlohmann/json.hpp>

#include "resource/fields.h"

namespace tidegate::machine {
namespace {

using resource::Json;
using Phase = ContainerState::Phase;

const char* phase_text(PodPhase phase) {
  switch (phase) {
    case PodPhase::kPending:
      return "Pending";
    case PodPhase::kRunning:
      return "Running";
    case PodPhase::kSucceeded:
      return "Succeeded";
    case PodPhase::kFailed:
      return "Failed";
  }
  return "Unknown";
}

Json terminated(const Exit& exit) {
  Json state{{"exitCode", exit.code}};
  if (exit.signal != 0) state["signal"] = exit.signal;
  state["reason"] = exit.reason;
  if (!exit.message.empty()) state["message"] = exit.message;
  state["startedAt"] = rfc3339(exit.started);
  state["finishedAt"] = rfc3339(exit.finished);
  return Json{{"terminated", std::move(state)}};
}

Json state_of(const ContainerState& state) {
  switch (state.phase) {
    case Phase::kWaiting:
    case Phase::kStarting: {
      Json waiting{{"reason", state.reason.empty() ? "ContainerCreating" : state.reason}};
      if (!state.message.empty()) waiting["message"] = state.message;
      return Json{{"waiting", std::move(waiting)}};
    }
    case Phase::kRunning:
    case Phase::kStopping:
      return Json{{"running", Json{{"startedAt", rfc3339(state.started_wall)}}}};
    case Phase::kTerminated:
      return terminated(*state.last);
  }
  return Json::object();
}

Json container_status(const ContainerPlan& plan, const ContainerState& state, const std::string& id) {
  Json status{{"name", plan.spec.name}, {"state", state_of(state)}, {"lastState", Json::object()}};
  if (state.previous && state.phase != Phase::kTerminated) status["lastState"] = terminated(*state.previous);
  const bool init_completed =
      plan.init && !plan.sidecar && state.phase == Phase::kTerminated && state.last->code == 0;
  status["ready"] = state.ready || init_completed;
  status["restartCount"] = state.restarts;
  status["image"] = plan.spec.image;
  status["imageID"] = "";
  if (!id.empty()) status["containerID"] = id;
  status["started"] = state.phase == Phase::kRunning && state.startup_passed;
  return status;
}

std::string unready_names(const Lifecycle& life, bool init) {
  std::string names;
  for (std::size_t i = 0; i < life.containers().size(); ++i) {
    const ContainerPlan& plan = life.plan().containers[i];
    const ContainerState& state = life.containers()[i];
    const bool counts = init ? plan.init && !plan.sidecar : !plan.init || plan.sidecar;
    const bool fine = init ? state.phase == Phase::kTerminated && state.last->code == 0 : state.ready;
    if (counts && !fine) names += (names.empty() ? "" : " ") + plan.spec.name;
  }
  return "[" + names + "]";
}

class Conditions {
 public:
  Conditions(const Json& before, WallTime now) : before_(before), now_(now) {}

  void add(const std::string& type, bool is_true, const std::string& reason = {},
           const std::string& message = {}) {
    const std::string status = is_true ? "True" : "False";
    const Json* old = resource::condition(before_, type);
    const bool same = old != nullptr && resource::text(*old, "status") == status;
    Json entry{{"type", type},
               {"status", status},
               {"lastProbeTime", nullptr},
               {"lastTransitionTime", same ? resource::text(*old, "lastTransitionTime") : rfc3339(now_)}};
    if (!reason.empty()) entry["reason"] = reason;
    if (!message.empty()) entry["message"] = message;
    list_.push_back(std::move(entry));
  }

  Json take() { return std::move(list_); }

 private:
  const Json& before_;
  WallTime now_;
  Json list_ = Json::array();
};

Json conditions_of(const PodReport& report, const Json& before, WallTime now) {
  const Lifecycle& life = *report.life;
  Conditions conditions(before, now);
  conditions.add("PodReadyToStartContainers", !report.pod_ip.empty());
  if (life.initialized()) {
    conditions.add("Initialized", true);
  } else {
    conditions.add("Initialized", false, "ContainersNotInitialized",
                   "containers with incomplete status: " + unready_names(life, true));
  }
  const PodPhase phase = life.phase();
  if (life.ready()) {
    conditions.add("Ready", true);
    conditions.add("ContainersReady", true);
  } else {
    const bool over = phase == PodPhase::kSucceeded || phase == PodPhase::kFailed;
    const char* reason = phase == PodPhase::kSucceeded ? "PodCompleted"
                         : phase == PodPhase::kFailed  ? "PodFailed"
                                                       : "ContainersNotReady";
    const std::string message =
        over ? std::string() : "containers with unready status: " + unready_names(life, false);
    conditions.add("Ready", false, reason, message);
    conditions.add("ContainersReady", false, reason, message);
  }
  conditions.add("PodScheduled", true);
  for (const Finding& finding : report.findings)
    conditions.add(finding.type, true, finding.reason, finding.message);
  return conditions.take();
}

}  // namespace

Json pod_status(const PodReport& report, const Json& before, WallTime now) {
  const Lifecycle& life = *report.life;
  Json status = Json::object();
  status["phase"] = phase_text(life.phase());
  status["conditions"] = conditions_of(report, before, now);
  status["hostIP"] = report.host_ip;
  status["hostIPs"] = Json::array({Json{{"ip", report.host_ip}}});
  if (!report.pod_ip.empty()) {
    status["podIP"] = report.pod_ip;
    status["podIPs"] = Json::array({Json{{"ip", report.pod_ip}}});
  }
  status["startTime"] = rfc3339(report.started);
  Json init = Json::array();
  Json main = Json::array();
  for (std::size_t i = 0; i < life.containers().size(); ++i) {
    const ContainerPlan& plan = life.plan().containers[i];
    (plan.init ? init : main).push_back(container_status(plan, life.containers()[i], report.pids[i]));
  }
  if (!init.empty()) status["initContainerStatuses"] = std::move(init);
  status["containerStatuses"] = std::move(main);
  const std::string qos = resource::text(before, "status.qosClass", "Burstable");
  status["qosClass"] = qos;
  return status;
}

}  // namespace tidegate::machine
