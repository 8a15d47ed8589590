#include "machine/lifecycle.h"

#include <algorithm>
#include <csignal>

namespace tidegate::machine {
namespace {

using Phase = ContainerState::Phase;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Duration kBackOffFirst = seconds(10);
constexpr Duration kBackOffMax = minutes(5);
constexpr Duration kQuiet = minutes(10);       // a run this long forgets earlier crashes
constexpr Duration kEarlyUntil = minutes(10);  // off-the-record probing ends
constexpr Duration kEarlyMin = milliseconds(20);
constexpr Duration kEarlyMax = milliseconds(500);

std::size_t at(ProbeRole role) { return static_cast<std::size_t>(role); }

// Often while the container is young: a quarter of its age, within bounds.
Duration early_interval(Duration age) { return std::clamp<Duration>(age / 4, kEarlyMin, kEarlyMax); }

std::string seconds_text(Duration duration) {
  const auto total = std::chrono::duration_cast<seconds>(duration).count();
  return total < 60 ? std::to_string(total) + "s"
                    : std::to_string(total / 60) + "m" + std::to_string(total % 60) + "s";
}

}  // namespace

Duration crash_back_off(int crashes) {
  if (crashes <= 1) return Duration::zero();
  Duration delay = kBackOffFirst;
  for (int i = 2; i < crashes && delay < kBackOffMax; ++i) delay *= 2;
  return std::min(delay, kBackOffMax);
}

Lifecycle::Lifecycle(PodPlan plan, std::vector<ImageChoice> choices)
    : plan_(std::move(plan)), choices_(std::move(choices)), states_(plan_.containers.size()) {
  const bool has_init = !plan_.containers.empty() && plan_.containers.front().init;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    states_[i].reason = has_init ? "PodInitializing" : "ContainerCreating";
    if (choices_[i].run_as == RunAs::kUnknown) {
      states_[i].reason = "ErrImagePull";
      states_[i].message = choices_[i].why;
      states_[i].hopeless = true;
    }
  }
}

const std::optional<ProbePlan>& Lifecycle::probe_plan(std::size_t index, ProbeRole role) const {
  const ContainerPlan& plan = plan_.containers[index];
  switch (role) {
    case ProbeRole::kStartup:
      return plan.startup;
    case ProbeRole::kReadiness:
      return plan.readiness;
    case ProbeRole::kLiveness:
      return plan.liveness;
  }
  return plan.liveness;
}

bool Lifecycle::init_done(std::size_t index) const {
  const ContainerState& state = states_[index];
  if (plan_.containers[index].sidecar) return state.phase == Phase::kRunning && state.startup_passed;
  return state.phase == Phase::kTerminated && state.last && state.last->code == 0;
}

bool Lifecycle::init_failed() const {
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const ContainerState& state = states_[i];
    if (plan_.containers[i].init && state.phase == Phase::kTerminated && state.last->code != 0 &&
        !restarts_after(i, state.last->code)) {
      return true;
    }
  }
  return false;
}

bool Lifecycle::initialized() const {
  for (std::size_t i = 0; i < states_.size(); ++i) {
    // A sidecar that runs again after a crash does not undo what it let through before.
    const bool let_through = plan_.containers[i].sidecar && states_[i].run > 0 && states_[i].startup_passed;
    if (plan_.containers[i].init && !let_through && !init_done(i)) return false;
  }
  return true;
}

PodPhase Lifecycle::phase() const {
  if (init_failed()) return PodPhase::kFailed;
  if (!initialized()) return PodPhase::kPending;
  int running = 0;
  int stopped = 0;
  int succeeded = 0;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (plan_.containers[i].init) continue;
    const ContainerState& state = states_[i];
    const bool was_up = state.phase == Phase::kRunning || state.phase == Phase::kStopping;
    if (was_up) {
      ++running;
    } else if (state.phase == Phase::kTerminated || state.last) {
      ++stopped;
      if (state.phase == Phase::kTerminated && state.last->code == 0) ++succeeded;
    } else {
      return PodPhase::kPending;
    }
  }
  if (running > 0) return PodPhase::kRunning;
  if (plan_.restart == RestartPolicy::kAlways && !deleting_) return PodPhase::kRunning;
  if (stopped == succeeded) return PodPhase::kSucceeded;
  return plan_.restart == RestartPolicy::kOnFailure && !deleting_ ? PodPhase::kRunning : PodPhase::kFailed;
}

bool Lifecycle::ready() const {
  if (!initialized()) return false;
  const PodPhase now = phase();
  if (now != PodPhase::kRunning) return false;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const ContainerPlan& plan = plan_.containers[i];
    if ((!plan.init || plan.sidecar) && !states_[i].ready) return false;
  }
  return true;
}

bool Lifecycle::gone() const {
  return deleting_ && std::none_of(states_.begin(), states_.end(),
                                   [](const ContainerState& s) { return s.has_process(); });
}

std::vector<Order> Lifecycle::due(Now now) {
  std::vector<Order> orders;
  if (deleting_) {
    stop_all(delete_deadline_, now, orders);
  } else if (const PodPhase is = phase(); is == PodPhase::kSucceeded || is == PodPhase::kFailed) {
    stop_all(now.at + plan_.grace, now, orders);
  } else {
    bool may_start = true;
    for (std::size_t i = 0; i < states_.size(); ++i) {
      const ContainerPlan& plan = plan_.containers[i];
      settle(i, now);
      const bool sidecar_was_up = plan.sidecar && states_[i].run > 0;
      if (may_start || sidecar_was_up) start_if_due(i, now, orders);
      if (plan.init && !sidecar_was_up && !init_done(i)) may_start = false;
      if (plan.sidecar && !states_[i].startup_passed) may_start = false;
    }
  }
  for (std::size_t i = 0; i < states_.size(); ++i) {
    probe_if_due(i, now, orders);
    kill_if_due(i, now, orders);
  }
  return orders;
}

void Lifecycle::start_if_due(std::size_t index, Now now, std::vector<Order>& orders) {
  ContainerState& state = states_[index];
  if (state.phase != Phase::kWaiting || state.hopeless || now.at < state.not_before) return;
  if (state.last) ++state.restarts;
  ++state.run;
  if (choices_[index].run_as == RunAs::kSkip) {
    started(index, now);
    if (plan_.containers[index].init && !plan_.containers[index].sidecar) exited(index, 0, 0, now);
    return;
  }
  state.phase = Phase::kStarting;
  orders.push_back({Order::Verb::kStart, index, ProbeRole::kReadiness, state.run});
}

void Lifecycle::started(std::size_t container, Now now) {
  ContainerState& state = states_[container];
  state.phase = Phase::kRunning;
  state.reason.clear();
  state.message.clear();
  state.started_at = now.at;
  state.started_wall = now.wall;
  state.previous = state.last;
  state.startup_passed = false;
  state.ready = false;
  state.kill_at = TimePoint::max();
  state.term_sent = state.kill_sent = false;
  state.stop_reason.clear();
  state.probes = {};
  if (choices_[container].run_as == RunAs::kSkip) {
    state.startup_passed = state.ready = true;
    return;
  }
  if (probe_plan(container, ProbeRole::kStartup)) {
    ProbeTrack& track = state.probes[at(ProbeRole::kStartup)];
    track.next = now.at + probe_plan(container, ProbeRole::kStartup)->initial_delay;
    track.early = now.at + kEarlyMin;
  } else {
    pass_startup(container, now);
  }
}

void Lifecycle::pass_startup(std::size_t index, Now now) {
  ContainerState& state = states_[index];
  state.startup_passed = true;
  state.probes[at(ProbeRole::kStartup)] = {};
  arm_probes(index, now);
}

void Lifecycle::arm_probes(std::size_t index, Now now) {
  ContainerState& state = states_[index];
  for (const ProbeRole role : {ProbeRole::kReadiness, ProbeRole::kLiveness}) {
    if (const auto& plan = probe_plan(index, role)) {
      state.probes[at(role)].next = std::max(state.started_at + plan->initial_delay, now.at);
    }
  }
  const auto& readiness = probe_plan(index, ProbeRole::kReadiness);
  if (!readiness) {
    state.ready = true;
  } else if (readiness->successes_min == 1) {
    state.probes[at(ProbeRole::kReadiness)].early =
        now.at + (now.at == state.started_at ? kEarlyMin : Duration{0});
  }
}

void Lifecycle::start_failed(std::size_t container, std::string reason, std::string message, Now now) {
  ContainerState& state = states_[container];
  state.phase = Phase::kWaiting;
  state.reason = std::move(reason);
  state.message = std::move(message);
  state.crashes = std::max(state.crashes, 1) + 1;
  state.not_before = now.at + crash_back_off(state.crashes);
  if (state.last && state.restarts > 0) --state.restarts;  // it did not run
}

bool Lifecycle::restarts_after(std::size_t index, int code) const {
  if (plan_.containers[index].sidecar) return true;
  switch (plan_.restart) {
    case RestartPolicy::kAlways:
      return !plan_.containers[index].init || code != 0;
    case RestartPolicy::kOnFailure:
      return code != 0;
    case RestartPolicy::kNever:
      return false;
  }
  return false;
}

void Lifecycle::exited(std::size_t container, int code, int signal, Now now) {
  ContainerState& state = states_[container];
  const bool completed = code == 0 && signal == 0;
  state.last = Exit{signal != 0 ? 128 + signal : code,
                    signal,
                    completed ? "Completed" : "Error",
                    state.stop_reason,
                    state.started_wall,
                    now.wall};
  state.phase = Phase::kTerminated;
  // A sidecar that has let the containers after it start does not hold them up again.
  state.startup_passed = state.startup_passed && plan_.containers[container].sidecar;
  state.ready = false;
  state.probes = {};
  state.kill_at = TimePoint::max();
  if (now.at - state.started_at >= kQuiet) state.crashes = 0;
  ++state.crashes;
  state.not_before = now.at + crash_back_off(state.crashes);
}

// From kTerminated back to kWaiting, where the restart policy says so.
void Lifecycle::settle(std::size_t index, Now now) {
  ContainerState& state = states_[index];
  if (state.phase != Phase::kTerminated || !restarts_after(index, state.last->code)) return;
  state.phase = Phase::kWaiting;
  state.previous = state.last;
  if (now.at < state.not_before) {
    state.reason = "CrashLoopBackOff";
    state.message = "back-off " + seconds_text(crash_back_off(state.crashes)) +
                    " restarting failed container=" + plan_.containers[index].spec.name +
                    " pod=" + plan_.key.name + "_" + plan_.key.namespace_ + "(" + plan_.uid + ")";
  }
}

void Lifecycle::probe_if_due(std::size_t index, Now now, std::vector<Order>& orders) {
  ContainerState& state = states_[index];
  if (state.phase != Phase::kRunning) return;
  for (const ProbeRole role : {ProbeRole::kStartup, ProbeRole::kReadiness, ProbeRole::kLiveness}) {
    ProbeTrack& track = state.probes[at(role)];
    if (track.in_flight || (now.at < track.next && now.at < track.early)) continue;
    if (deleting_ && role != ProbeRole::kReadiness) continue;
    track.in_flight = true;
    track.on_record = now.at >= track.next;
    if (track.on_record) {
      const Duration period = probe_plan(index, role)->period;
      track.next = std::max(track.next + period, now.at + period / 2);
    }
    orders.push_back({Order::Verb::kProbe, index, role, state.run});
  }
}

void Lifecycle::probed(std::size_t container, ProbeRole role, int run, bool success, std::string message,
                       Now now) {
  ContainerState& state = states_[container];
  ProbeTrack& track = state.probes[at(role)];
  if (run != state.run || state.phase != Phase::kRunning || !track.in_flight) return;
  track.in_flight = false;
  const ProbePlan& plan = *probe_plan(container, role);
  if (success) {
    track.failures = 0;
    track.early = TimePoint::max();
    ++track.successes;
    if (track.successes < plan.successes_min) return;
    if (role == ProbeRole::kReadiness) state.ready = true;
    if (role == ProbeRole::kStartup) pass_startup(container, now);
    return;
  }
  track.last_message = std::move(message);
  if (!track.on_record) {
    const Duration age = now.at - state.started_at;
    track.early = age > kEarlyUntil ? TimePoint::max() : now.at + early_interval(age);
    return;
  }
  track.successes = 0;
  ++track.failures;
  if (track.failures < plan.failures_max) return;
  if (role == ProbeRole::kReadiness) {
    state.ready = false;
  } else {
    const char* which = role == ProbeRole::kStartup ? "startup" : "liveness";
    state.kill_at = now.at;  // begins in the next due()
    state.stop_reason = std::string("Container ") + plan_.containers[container].spec.name + " failed " +
                        which + " probe (" + plan.title() + "): " + track.last_message;
  }
}

void Lifecycle::begin_stop(std::size_t index, Duration grace, std::string why, Now now,
                           std::vector<Order>& orders) {
  ContainerState& state = states_[index];
  state.phase = Phase::kStopping;
  state.kill_at = now.at + std::max(grace, Duration::zero());
  state.stop_reason = std::move(why);
  if (choices_[index].run_as == RunAs::kSkip) {
    exited(index, 0, 0, now);
  } else if (plan_.containers[index].pre_stop || plan_.containers[index].pre_stop_wait) {
    orders.push_back({Order::Verb::kPreStop, index, ProbeRole::kReadiness, state.run});
  } else {
    state.term_sent = true;
    orders.push_back({Order::Verb::kTerminate, index, ProbeRole::kReadiness, state.run});
  }
}

void Lifecycle::pre_stop_done(std::size_t container, int run) {
  // The next due() sends SIGTERM.
  ContainerState& state = states_[container];
  if (run == state.run && state.phase == Phase::kStopping && !state.term_sent)
    state.not_before = TimePoint::min();
}

void Lifecycle::stop_all(TimePoint deadline, Now now, std::vector<Order>& orders) {
  bool main_left = false;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const bool sidecar = plan_.containers[i].sidecar;
    if (!sidecar && states_[i].phase == Phase::kRunning) begin_stop(i, deadline - now.at, "", now, orders);
    if (!sidecar && states_[i].has_process()) main_left = true;
  }
  for (std::size_t i = states_.size(); i-- > 0;) {
    if (!plan_.containers[i].sidecar) continue;
    // Past the deadline nothing waits for anything.
    if (states_[i].phase == Phase::kRunning && (!main_left || now.at >= deadline)) {
      begin_stop(i, deadline - now.at, "", now, orders);
    }
  }
}

void Lifecycle::kill_if_due(std::size_t index, Now now, std::vector<Order>& orders) {
  ContainerState& state = states_[index];
  if (state.phase == Phase::kRunning && now.at >= state.kill_at) {  // a probe has given up on it
    const auto& startup = probe_plan(index, ProbeRole::kStartup);
    const auto& liveness = probe_plan(index, ProbeRole::kLiveness);
    const auto& plan = !state.startup_passed && startup ? startup : liveness;
    const Duration grace = plan && plan->grace ? *plan->grace : plan_.grace;
    begin_stop(index, grace, state.stop_reason, now, orders);
    return;
  }
  if (state.phase != Phase::kStopping) return;
  if (!state.term_sent && state.not_before == TimePoint::min()) {
    state.term_sent = true;
    orders.push_back({Order::Verb::kTerminate, index, ProbeRole::kReadiness, state.run});
  }
  if (!state.kill_sent && now.at >= state.kill_at) {
    state.kill_sent = true;
    orders.push_back({Order::Verb::kKill, index, ProbeRole::kReadiness, state.run});
  }
}

void Lifecycle::delete_requested(Duration grace, Now now) {
  const TimePoint deadline = now.at + std::max(grace, Duration::zero());
  deleting_ = true;
  delete_deadline_ = std::min(delete_deadline_, deadline);
  for (ContainerState& state : states_) {
    if (state.phase == Phase::kStopping) state.kill_at = std::min(state.kill_at, delete_deadline_);
  }
}

TimePoint Lifecycle::next_wake() const {
  TimePoint wake = TimePoint::max();
  const PodPhase is = phase();
  const bool over = deleting_ || is == PodPhase::kSucceeded || is == PodPhase::kFailed;
  for (const ContainerState& state : states_) {
    if (state.phase == Phase::kStopping && !state.kill_sent) wake = std::min(wake, state.kill_at);
    if (state.phase == Phase::kRunning) {
      wake = std::min(wake, state.kill_at);
      if (over) wake = std::min(wake, delete_deadline_);
      for (const ProbeTrack& track : state.probes) {
        if (!track.in_flight) wake = std::min({wake, track.next, track.early});
      }
    }
    if (state.phase == Phase::kWaiting && !state.hopeless && !over && state.run > 0) {
      wake = std::min(wake, state.not_before);
    }
  }
  return wake;
}

}  // namespace tidegate::machine
