// What a scaling decision looks at and what it gives back: plain values, so that the controller, the tests
// and the simulator in virtual time call the same functions.
//
// Thread: values.
// Units: metric values are thousandths (a quantity's milli), as in Kubernetes.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "resource/horizontal_pod_autoscaler.h"

namespace tidegate::autoscale {

enum class Phase { kPending, kRunning, kSucceeded, kFailed, kUnknown };

// A pod that the target's selector matches.
struct PodState {
  std::string name;
  Phase phase = Phase::kPending;
  bool terminating = false;
  bool ready = false;                     // condition Ready is True
  std::optional<WallTime> ready_changed;  // when that condition last changed; empty: there is none
  std::optional<WallTime> started;        // status.startTime
  struct Container {
    std::string name;
    std::map<std::string, std::int64_t> requests;  // milli, by resource
  };
  std::vector<Container> containers;
};

struct PodSample {
  std::int64_t milli = 0;
  WallTime time{};     // when it was measured; stale ones must have been left out by who gathered them
  Duration window{0};  // that it was measured over
};

// What a source says about one metric of the spec. Pods, Resource and ContainerResource fill `pods`; Object
// and External fill `values`. An error is one sentence as Kubernetes' clients of the metrics APIs word it.
struct Reading {
  std::map<std::string, PodSample> pods;  // by pod name; a pod without a sample is missing
  std::vector<std::int64_t> values;
  std::optional<std::string> error;
};

// What the demand rule looks at (demand.h). Requests, not thousandths.
struct DemandReading {
  double in_flight = 0;  // sent to the target's pods and not answered, those queued in an engine included
  double queued = 0;     // waiting in the gateway for a place
  double held = 0;       // held in the gateway because there is no endpoint
  // Learned concurrency of one replica; empty while nothing is known.
  std::optional<double> capacity;
  // Somebody who should have spoken did not: demand is at least this, so nothing may shrink.
  bool partial = false;
  std::optional<std::string> error;
};

struct Scale {
  std::int64_t replicas = 0;         // spec: wanted
  std::int64_t status_replicas = 0;  // status: there
  std::string selector;              // as text, for messages; empty is an error
  std::string selector_error;        // why it cannot be read; empty: it can
};

struct State {
  const resource::HorizontalPodAutoscaler* hpa = nullptr;
  Result<Scale> scale = Scale{};
  std::vector<PodState> pods;
  std::vector<Reading> readings;    // one per hpa->metrics, in order
  std::vector<std::string> rivals;  // "namespace/name" of all HPAs over these pods, if there are several
  std::optional<DemandReading> demand;
};

// What is remembered of one HPA from decision to decision.
struct Memory {
  struct Recommendation {
    std::int64_t replicas;
    WallTime time;
  };
  struct Change {
    std::int64_t by;  // always positive
    WallTime time;
  };
  std::vector<Recommendation> recommendations;
  std::vector<Change> ups;
  std::vector<Change> downs;
  std::vector<Recommendation> demands;  // demand rule: what demand asked for, for its scale-in window
  // Demand rule: what it saw last, when that became fewer, and until when it shrinks no more because the last
  // time was a mistake.
  std::optional<std::int64_t> replicas;
  std::optional<WallTime> shrunk;
  std::optional<WallTime> wary_until;
};

// Named as kube-controller-manager's flags, with its defaults.
struct Settings {
  Duration sync_period = std::chrono::seconds(15);
  double tolerance = 0.1;
  Duration downscale_stabilization = std::chrono::minutes(5);
  Duration cpu_initialization_period = std::chrono::minutes(5);
  Duration initial_readiness_delay = std::chrono::seconds(30);
};

struct MetricStatus {
  bool known = false;  // else the metric gave an error this time
  std::optional<std::int64_t> value;
  std::optional<std::int64_t> average_value;
  std::optional<std::int64_t> utilization;  // percent
};

struct EventNote {
  bool warning = false;
  std::string reason;
  std::string message;
};

struct Outcome {
  std::optional<std::int64_t> replicas;  // what the target's scale is to become; empty: leave it
  std::int64_t current_replicas = 0;
  std::int64_t desired_replicas = 0;
  bool keeps_status = false;  // desired replicas and metrics stay as the status has them
  std::vector<MetricStatus> metrics;
  std::vector<resource::Condition> conditions;  // those that were decided; others stay
  std::vector<EventNote> events;
  Memory memory;

  void set(std::string type, bool holds, std::string reason, std::string message) {
    for (resource::Condition& condition : conditions) {
      if (condition.type != type) continue;
      condition = {type, holds ? "True" : "False", std::move(reason), std::move(message)};
      return;
    }
    conditions.push_back({std::move(type), holds ? "True" : "False", std::move(reason), std::move(message)});
  }
};

}  // namespace tidegate::autoscale
