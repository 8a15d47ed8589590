// The life of one pod on this machine, as a state machine without I/O: what happened comes in, what is to be
// done comes out.
//
// Per container:
//
//            +------------ back-off over ------------+
//            v                                       |
//   kWaiting --> kStarting --> kRunning --> kStopping --> kTerminated
//        ^           |             |  exit      ^  |          |
//        |           | cannot      +------------+--+----------+ (restart policy: back to kWaiting)
//        +-----------+               probes, deletion, end of the pod
//
// Init containers run one after the other, sidecars (init containers with restartPolicy Always) stay; then
// all others start together. Restarts follow CrashLoopBackOff: at once, then after 10 s, doubling to 5
// minutes; ten minutes without a crash forget it. Deletion stops the containers first and the sidecars after
// them, all within the grace period.
//
// Probes follow Kubernetes with one addition. Until a startup or readiness probe has succeeded once, it is
// also tried early and often, off the record: a success counts at once, a failure does not count at all. A
// pod of a manifest with initialDelaySeconds: 60 is ready when its engine is, not a minute later.
//
// Thread: one owner. Time is handed in.
// Source: Kubernetes, "Pod Lifecycle", "Sidecar Containers", "Configure Liveness, Readiness and Startup
// Probes".

#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "machine/image.h"
#include "machine/pod_plan.h"

namespace tidegate::machine {

struct Now {
  TimePoint at;
  WallTime wall;
};

enum class ProbeRole { kStartup, kReadiness, kLiveness };
inline constexpr std::size_t kProbeRoles = 3;

struct Exit {
  int code = 0;
  int signal = 0;      // 0 unless a signal ended it; code is then 128 + signal
  std::string reason;  // "Completed", "Error", "OOMKilled"
  std::string message;
  WallTime started{};
  WallTime finished{};
};

struct ProbeTrack {
  TimePoint next = TimePoint::max();   // when Kubernetes would probe
  TimePoint early = TimePoint::max();  // when we try off the record
  bool in_flight = false;
  bool on_record = false;  // the one in flight
  int successes = 0;
  int failures = 0;
  std::string last_message;
};

struct ContainerState {
  enum class Phase { kWaiting, kStarting, kRunning, kStopping, kTerminated };

  Phase phase = Phase::kWaiting;
  std::string reason;  // while kWaiting: "PodInitializing", "CrashLoopBackOff", "ErrImagePull", ...
  std::string message;
  bool hopeless = false;  // kWaiting for something that no retry changes
  int run = 0;            // counts starts; tells late news of an earlier run from this one's
  int restarts = 0;
  int crashes = 0;  // since the last quiet ten minutes; decides the back-off
  TimePoint not_before{};
  TimePoint started_at{};
  WallTime started_wall{};
  bool startup_passed = false;
  bool ready = false;
  std::array<ProbeTrack, kProbeRoles> probes;
  TimePoint kill_at = TimePoint::max();  // while kStopping
  bool term_sent = false;
  bool kill_sent = false;
  std::string stop_reason;       // why kStopping, for the exit's message
  std::optional<Exit> last;      // of the latest run that ended
  std::optional<Exit> previous;  // of the one before the present state, as lastState reports it

  bool has_process() const {
    return phase == Phase::kStarting || phase == Phase::kRunning || phase == Phase::kStopping;
  }
};

struct Order {
  enum class Verb {
    kStart,
    kPreStop,    // run the hook, then tell pre_stop_done
    kTerminate,  // SIGTERM to the process group
    kKill,       // SIGKILL to the process group
    kProbe,
  };
  Verb verb;
  std::size_t container;
  ProbeRole role = ProbeRole::kReadiness;  // kProbe
  int run = 0;
};

enum class PodPhase { kPending, kRunning, kSucceeded, kFailed };

class Lifecycle {
 public:
  // `choices` say how each container's image runs, in the plan's order.
  Lifecycle(PodPlan plan, std::vector<ImageChoice> choices);

  // An earlier run of the home has started the container `restarts` times anew. Before the first due().
  void resume_count(std::size_t container, int restarts) { states_[container].restarts = restarts; }

  // What is to be done now. Each order is given once; the caller reports back with the calls below.
  std::vector<Order> due(Now now);

  // When due() may have something new even if nothing happens. TimePoint::max(): never.
  TimePoint next_wake() const;

  void started(std::size_t container, Now now);
  // It could not be started; tried again later. `reason` as Kubernetes has it: "CreateContainerConfigError",
  // ...
  void start_failed(std::size_t container, std::string reason, std::string message, Now now);
  void exited(std::size_t container, int code, int signal, Now now);
  void probed(std::size_t container, ProbeRole role, int run, bool success, std::string message, Now now);
  void pre_stop_done(std::size_t container, int run);
  // May be called again with a shorter grace.
  void delete_requested(Duration grace, Now now);

  const PodPlan& plan() const { return plan_; }
  const std::vector<ContainerState>& containers() const { return states_; }
  PodPhase phase() const;
  bool initialized() const;
  // All containers that should be ready are.
  bool ready() const;
  bool deleting() const { return deleting_; }
  // Deleted, and no process is left.
  bool gone() const;

 private:
  void start_if_due(std::size_t index, Now now, std::vector<Order>& orders);
  void begin_stop(std::size_t index, Duration grace, std::string why, Now now, std::vector<Order>& orders);
  void stop_all(TimePoint deadline, Now now, std::vector<Order>& orders);
  void probe_if_due(std::size_t index, Now now, std::vector<Order>& orders);
  void kill_if_due(std::size_t index, Now now, std::vector<Order>& orders);
  void settle(std::size_t index, Now now);
  bool restarts_after(std::size_t index, int code) const;
  bool init_done(std::size_t index) const;
  bool init_failed() const;
  void pass_startup(std::size_t index, Now now);
  void arm_probes(std::size_t index, Now now);
  const std::optional<ProbePlan>& probe_plan(std::size_t index, ProbeRole role) const;

  PodPlan plan_;
  std::vector<ImageChoice> choices_;
  std::vector<ContainerState> states_;
  bool deleting_ = false;
  TimePoint delete_deadline_ = TimePoint::max();
};

// How long to wait before the restart that follows the `crashes`-th crash, counted from 1.
Duration crash_back_off(int crashes);

}  // namespace tidegate::machine
