// What a Pod asks its machine to do, in the order in which it is to be done: the containers with the init
// containers first, probes with their ports resolved, times as durations.
//
// Thread: a value.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "cluster/client.h"
#include "resource/pod.h"

namespace tidegate::machine {

enum class ProbeKind { kHttp, kTcp, kExec };

struct ProbePlan {
  ProbeKind kind = ProbeKind::kTcp;
  bool secure = false;  // kHttp over TLS
  std::string host;     // empty: the pod's own address
  std::uint16_t port = 0;
  std::string path = "/";
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<std::string> command;
  Duration initial_delay{0};
  Duration period = std::chrono::seconds(10);
  Duration timeout = std::chrono::seconds(1);
  int failures_max = 3;   // failureThreshold
  int successes_min = 1;  // successThreshold
  std::optional<Duration> grace;

  // "GET :8000/health", for messages.
  std::string title() const;
};

struct ContainerPlan {
  resource::Container spec;
  bool init = false;
  bool sidecar = false;  // an init container that keeps running (restartPolicy: Always)
  std::optional<ProbePlan> startup;
  std::optional<ProbePlan> readiness;
  std::optional<ProbePlan> liveness;
  std::optional<ProbePlan> pre_stop;      // exec or httpGet
  std::optional<Duration> pre_stop_wait;  // sleep
  bool has_pre_stop() const { return pre_stop.has_value() || pre_stop_wait.has_value(); }
};

enum class RestartPolicy { kAlways, kOnFailure, kNever };

struct PodPlan {
  cluster::Key key;
  std::string uid;
  resource::Labels labels;
  std::map<std::string, std::string> annotations;
  std::string service_account;
  std::string hostname;
  RestartPolicy restart = RestartPolicy::kAlways;
  Duration grace = std::chrono::seconds(30);
  std::vector<ContainerPlan> containers;
  std::vector<resource::Volume> volumes;

  const ContainerPlan* find(std::string_view container) const;
};

PodPlan plan_pod(const resource::Pod& pod);

}  // namespace tidegate::machine
