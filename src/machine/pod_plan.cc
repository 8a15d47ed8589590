#include "machine/pod_plan.h"

#include <algorithm>

namespace tidegate::machine {
namespace {

std::uint16_t port_of(const resource::IntOrText& port, const resource::PodSpec& pod) {
  if (port.is_text()) return resource::find_port(pod, port.text).value_or(0);
  return static_cast<std::uint16_t>(port.number);
}

ProbePlan plan_action(const resource::Action& action, const resource::PodSpec& pod) {
  ProbePlan plan;
  switch (action.type) {
    case resource::Action::Type::kHttp:
      plan.kind = ProbeKind::kHttp;
      plan.secure = action.http.https;
      plan.host = action.http.host;
      plan.port = port_of(action.http.port, pod);
      plan.path = action.http.path.empty() ? "/" : action.http.path;
      plan.headers = action.http.headers;
      break;
    case resource::Action::Type::kTcp:
    case resource::Action::Type::kGrpc:
      plan.port = port_of(action.port, pod);
      break;
    case resource::Action::Type::kExec:
      plan.kind = ProbeKind::kExec;
      plan.command = action.command;
      break;
    case resource::Action::Type::kSleep:
      break;
  }
  return plan;
}

std::optional<ProbePlan> plan_probe(const std::optional<resource::Probe>& probe,
                                    const resource::PodSpec& pod) {
  if (!probe) return std::nullopt;
  ProbePlan plan = plan_action(probe->action, pod);
  plan.initial_delay = std::chrono::seconds(std::max(probe->initial_delay_s, 0));
  plan.period = std::chrono::seconds(std::max(probe->period_s, 1));
  plan.timeout = std::chrono::seconds(std::max(probe->timeout_s, 1));
  plan.failures_max = std::max(probe->failure_threshold, 1);
  plan.successes_min = std::max(probe->success_threshold, 1);
  if (probe->grace_s) plan.grace = std::chrono::seconds(*probe->grace_s);
  return plan;
}

// Who is asked for readiness is sent requests. A container is told to stop only when whoever sends them has heard
// that its pod goes; in a cluster one writes a preStop hook that sleeps.
constexpr Duration kWithdrawal = std::chrono::milliseconds(200);

ContainerPlan plan_container(const resource::Container& container, const resource::PodSpec& pod, bool init) {
  ContainerPlan plan;
  plan.spec = container;
  plan.init = init;
  plan.sidecar = init && container.restart_always;
  plan.startup = plan_probe(container.startup, pod);
  plan.readiness = plan_probe(container.readiness, pod);
  plan.liveness = plan_probe(container.liveness, pod);
  if (const auto& hook = container.pre_stop) {
    if (hook->type == resource::Action::Type::kSleep) {
      plan.pre_stop_wait = std::chrono::seconds(hook->sleep_s);
    } else {
      plan.pre_stop = plan_action(*hook, pod);
    }
  } else if (plan.readiness && !init) {
    plan.pre_stop_wait = kWithdrawal;
  }
  return plan;
}

RestartPolicy restart_policy(std::string_view text) {
  if (text == "Never") return RestartPolicy::kNever;
  return text == "OnFailure" ? RestartPolicy::kOnFailure : RestartPolicy::kAlways;
}

}  // namespace

std::string ProbePlan::title() const {
  const std::string at = host + ":" + std::to_string(port);
  if (kind == ProbeKind::kHttp) return "GET " + at + path;
  if (kind == ProbeKind::kTcp) return "connect to " + at;
  return "run " + (command.empty() ? std::string("nothing") : command.front());
}

const ContainerPlan* PodPlan::find(std::string_view container) const {
  const auto found = std::find_if(containers.begin(), containers.end(),
                                  [&](const ContainerPlan& plan) { return plan.spec.name == container; });
  return found == containers.end() ? nullptr : &*found;
}

PodPlan plan_pod(const resource::Pod& pod) {
  PodPlan plan;
  plan.key = {pod.metadata.namespace_, pod.metadata.name};
  plan.uid = pod.metadata.uid;
  plan.labels = pod.metadata.labels;
  plan.annotations = pod.metadata.annotations;
  plan.service_account = pod.spec.service_account.empty() ? "default" : pod.spec.service_account;
  plan.hostname = pod.spec.hostname.empty() ? pod.metadata.name : pod.spec.hostname;
  plan.restart = restart_policy(pod.spec.restart_policy);
  plan.grace = std::chrono::seconds(std::max<std::int64_t>(pod.spec.grace_s, 0));
  for (const auto& container : pod.spec.init_containers) {
    plan.containers.push_back(plan_container(container, pod.spec, true));
  }
  for (const auto& container : pod.spec.containers) {
    plan.containers.push_back(plan_container(container, pod.spec, false));
  }
  plan.volumes = pod.spec.volumes;
  return plan;
}

}  // namespace tidegate::machine
