#include "machine/pod_runner.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "machine/ports.h"
#include "machine/sweep.h"
#include "resource/core.h"
#include "resource/fields.h"
#include "resource/kind.h"

namespace tidegate::machine {
namespace {

namespace fs = std::filesystem;
using resource::Json;

constexpr Duration kStepMin =
    std::chrono::milliseconds(10);  // a state machine that spins would burn the machine
constexpr int kOldLogsKept = 2;
constexpr const char* kMountField = "volumes";  // marks an error of the preparation as a mount's

// How the worker reads ConfigMaps and Secrets of a namespace.
DataLookup lookup_in(cluster::Client& client, const std::string& namespace_) {
  return [&client, namespace_](bool secret, const std::string& name) -> std::optional<Variables> {
    const auto object =
        client.get(*resource::find_kind("v1", secret ? "Secret" : "ConfigMap"), {namespace_, name});
    if (!object) return std::nullopt;
    if (secret) {
      const auto read = resource::Secret::from(**object);
      return read ? std::optional<Variables>(read->data) : std::nullopt;
    }
    const auto read = resource::ConfigMap::from(**object);
    if (!read) return std::nullopt;
    Variables data = read->data;
    data.insert(read->binary_data.begin(), read->binary_data.end());
    return data;
  };
}

ImageChoice choose(const ImageMap& images, const ContainerPlan& container) {
  std::vector<std::string> words = container.spec.command;
  words.insert(words.end(), container.spec.args.begin(), container.spec.args.end());
  return images.choose(container.spec.image, words);
}

// Writes `status` over whatever the object has by now. Somebody else may have changed the object meanwhile;
// the status is the machine's own, so the last word is right.
void write_status(cluster::Client& client, const cluster::Key& key, const std::string& uid,
                  const Json& status) {
  const resource::Kind& kind = *resource::find_kind("v1", "Pod");
  for (int tries = 0; tries < 5; ++tries) {
    const auto object = client.get(kind, key);
    if (!object || (*object)->metadata().uid != uid) return;
    Json document = (*object)->json();
    document["status"] = status;
    const auto written = client.update_status(kind, std::move(document));
    if (written || written.error().code == Code::kNotFound) return;
    if (written.error().code != Code::kConflict) {
      log::warning("machine", "cannot write a pod's status",
                   {{"pod", key.text()}, {"error", describe(written.error())}});
      return;
    }
  }
}

void remove_old_logs(const fs::path& folder, int present) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const int number = std::atoi(entry.path().filename().c_str());
    if (entry.path().filename().string().find(".log") != std::string::npos &&
        number <= present - kOldLogsKept) {
      fs::remove(entry.path(), ignored);
    }
  }
}

}  // namespace

namespace {

// Closes what a child brought along.
struct OwnedChild : Child {
  explicit OwnedChild(const Child& child) : Child(child) {}
  ~OwnedChild() {
    ::close(pidfd);
    ::close(out);
    ::close(err);
  }
  OwnedChild(const OwnedChild&) = delete;
  OwnedChild& operator=(const OwnedChild&) = delete;
};

// How often a container had been started anew when an earlier run of the home ended; it is started once more
// now.
int restarts_so_far(const Json& pod, const std::string& container) {
  for (const char* list : {"status.initContainerStatuses", "status.containerStatuses"}) {
    const Json* statuses = resource::find_array(pod, list);
    if (statuses == nullptr) continue;
    for (const Json& status : *statuses) {
      if (resource::text(status, "name") != container) continue;
      const bool ran = !resource::text(status, "containerID").empty();
      const auto before = std::clamp<std::int64_t>(resource::number(status, "restartCount"), 0, 1'000'000);
      return static_cast<int>(before) + (ran ? 1 : 0);
    }
  }
  return 0;
}

}  // namespace

struct PodRunner::Running {
  Running(net::Loop& loop, Child started, fs::path log_path, LogLimits limits)
      : child(started),
        log(std::move(log_path), limits),
        exit(loop, child.pidfd),
        out(loop, child.out),
        err(loop, child.err) {}
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  // Reads until nothing more is there. False at the end of the stream.
  bool drain(bool error_stream, WallTime wall) {
    std::array<char, 16 * 1024> buffer;
    while (true) {
      const ssize_t got = read(error_stream ? child.err : child.out, buffer.data(), buffer.size());
      if (got > 0) {
        log.write(error_stream ? LogFile::Stream::kErr : LogFile::Stream::kOut,
                  {buffer.data(), static_cast<std::size_t>(got)}, wall);
      } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        return false;
      } else if (errno == EAGAIN) {
        return true;
      }
    }
  }

  OwnedChild child;  // closed after its watches have ended
  LogFile log;
  net::FdWatch exit;
  net::FdWatch out;
  net::FdWatch err;
};

struct PodRunner::Prepared {
  Command command;
  fs::path log_dir;
};

PodRunner::PodRunner(Surroundings& around, resource::ObjectPtr object, PodPlan plan, PodPlace place)
    : around_(around),
      object_(std::move(object)),
      life_(plan,
            [&] {
              std::vector<ImageChoice> choices;
              for (const ContainerPlan& c : plan.containers) choices.push_back(choose(around.images, c));
              return choices;
            }()),
      place_(std::move(place)),
      started_(around.clock.wall()),
      timer_(around.loop, [this] { step(); }),
      running_(plan.containers.size()),
      commands_(plan.containers.size()),
      told_waiting_(plan.containers.size()) {
  for (std::size_t i = 0; i < plan.containers.size(); ++i) {
    life_.resume_count(i, restarts_so_far(object_->json(), plan.containers[i].spec.name));
  }
}

PodRunner::~PodRunner() = default;

Now PodRunner::now() const { return {around_.loop.now(), around_.clock.wall()}; }

fs::path pod_folder(const fs::path& data_dir, const cluster::Key& pod, const std::string& uid) {
  return data_dir / "pods" / (pod.namespace_ + "_" + pod.name + "_" + uid);
}

fs::path PodRunner::pod_dir() const { return pod_folder(around_.home.data_dir, key(), uid()); }

void PodRunner::say(Notice::Kind kind, std::string text) const {
  around_.notify({kind, key(), std::move(text)});
}

void PodRunner::tell(bool warning, std::size_t container, const char* reason, std::string message) const {
  if (!link_up_ || closed_) return;
  const ContainerPlan& plan = life_.plan().containers[container];
  auto note = warning ? cluster::warning(*object_, reason, std::move(message))
                      : cluster::normal(*object_, reason, std::move(message));
  const std::string list = plan.init ? "spec.initContainers{" : "spec.containers{";
  around_.events.note(std::move(note).from("kubelet", node()).at(list + plan.spec.name + "}"));
}

void PodRunner::tell_stop(std::size_t container) {
  const std::string& why = life_.containers()[container].stop_reason;
  const std::string& name = life_.plan().containers[container].spec.name;
  tell(false, container, "Killing", why.empty() ? "Stopping container " + name : why + ", will be restarted");
}

void PodRunner::tell_probe(std::size_t container, ProbeRole role, const ProbeResult& result) const {
  const char* which = role == ProbeRole::kStartup     ? "Startup"
                      : role == ProbeRole::kReadiness ? "Readiness"
                                                      : "Liveness";
  tell(true, container, "Unhealthy", std::string(which) + " probe failed: " + result.message);
}

void PodRunner::start() {
  for (const ContainerPlan& container : life_.plan().containers) {
    const ImageChoice choice = choose(around_.images, container);
    const bool known = choice.run_as != RunAs::kUnknown;
    say(known ? Notice::Kind::kInfo : Notice::Kind::kProblem, "at " + pod_ip() + ", container " +
                                                                  container.spec.name + ": image " +
                                                                  container.spec.image + " " + choice.why);
  }
  update(object_);
}

void PodRunner::update(resource::ObjectPtr object) {
  object_ = std::move(object);
  if (!object_->metadata().deletion_timestamp.empty()) {
    if (!removed_through_api_) say(Notice::Kind::kInfo, "is being deleted");
    removed_through_api_ = true;
    const auto asked =
        resource::number(object_->json(), "metadata.deletionGracePeriodSeconds",
                         std::chrono::duration_cast<std::chrono::seconds>(life_.plan().grace).count());
    life_.delete_requested(std::chrono::seconds(asked), now());
  }
  step();
}

void PodRunner::close(Duration grace) {
  closed_ = true;
  life_.delete_requested(std::min(grace, life_.plan().grace), now());
  step();
}

std::vector<UsageTarget> PodRunner::running() const {
  std::vector<UsageTarget> targets;
  for (std::size_t i = 0; i < running_.size(); ++i) {
    if (!running_[i]) continue;
    const Child& child = running_[i]->child;
    targets.push_back({key(), node(), life_.plan().containers[i].spec.name, child.pid, child.started});
  }
  return targets;
}

void PodRunner::set_link(bool up) {
  if (std::exchange(link_up_, up) == up || !up) return;
  reported_.reset();  // whatever others wrote meanwhile
  report();
}

void PodRunner::kill() {
  for (const RunningPtr& running : running_) {
    if (running) signal_group(running->child, SIGKILL);
  }
}

void PodRunner::step() {
  const auto self = shared_from_this();
  for (const Order& order : life_.due(now())) perform(order);
  const TimePoint wake = life_.next_wake();
  if (wake == TimePoint::max()) {
    timer_.disarm();
  } else {
    timer_.arm(std::max(wake, around_.loop.now() + kStepMin));
  }
  tell_changes();
  report();
}

void PodRunner::perform(const Order& order) {
  const RunningPtr running = running_[order.container];
  switch (order.verb) {
    case Order::Verb::kStart:
      prepare_start(order.container, order.run);
      break;
    case Order::Verb::kPreStop:
      tell_stop(order.container);
      around_.tasks.spawn(pre_stop(shared_from_this(), order.container, order.run));
      break;
    case Order::Verb::kTerminate:
      if (!life_.plan().containers[order.container].has_pre_stop()) tell_stop(order.container);
      if (running) signal_group(running->child, SIGTERM);
      break;
    case Order::Verb::kKill:
      if (running) signal_group(running->child, SIGKILL);
      break;
    case Order::Verb::kProbe: {
      const ContainerPlan& plan = life_.plan().containers[order.container];
      const auto& probe_plan = order.role == ProbeRole::kStartup     ? plan.startup
                               : order.role == ProbeRole::kReadiness ? plan.readiness
                                                                     : plan.liveness;
      around_.tasks.spawn(probe(shared_from_this(), order.container, order.role, order.run, *probe_plan));
      break;
    }
  }
}

// On the worker: references, volumes and ports; then back on the loop: the process.
void PodRunner::prepare_start(std::size_t container, int run) {
  const PodPlan plan = life_.plan();
  const PodPlace place = place_;
  around_.worker.post([around = &around_, plan, place, container, run, dir = pod_dir(),
                       self = weak_from_this()] {
    const ContainerPlan& part = plan.containers[container];
    const DataLookup lookup = lookup_in(around->client, plan.key.namespace_);
    const auto prepare = [&]() -> Result<Prepared> {
      for (const resource::ContainerPort& port : part.spec.ports) {
        if (port.protocol != "TCP") continue;
        if (auto taken = port_conflict(place.pod_ip, port.port))
          return fail(Code::kConflict, *std::move(taken));
      }
      auto variables = resolve_environment(plan, part.spec, place, lookup);
      if (!variables) return tl::unexpected(variables.error());
      const ClaimLookup claims = claims_in(around->client, around->options.claims, plan.key.namespace_);
      auto mounts = prepare_volumes(plan, part.spec, dir, claims, lookup);
      if (!mounts) return tl::unexpected(Error{mounts.error().code, kMountField, mounts.error().message});
      mounts->insert(around->options.paths.begin(), around->options.paths.end());
      const ImageChoice choice = choose(around->images, part);
      auto command =
          make_command(plan, part, choice, around->options.engine, around->home, place, *mounts, *variables);
      if (!command) return tl::unexpected(command.error());
      const fs::path log_dir = dir / part.spec.name;
      std::error_code error;
      fs::create_directories(log_dir, error);
      if (error) return fail(Code::kInternal, "cannot make " + log_dir.string() + ": " + error.message());
      return Prepared{*std::move(command), log_dir};
    };
    around->loop.post([self, container, run, prepared = prepare()]() mutable {
      if (const auto runner = self.lock()) runner->launch(container, run, std::move(prepared));
    });
  });
}

void PodRunner::launch(std::size_t container, int run, Result<Prepared> prepared) {
  const ContainerState& state = life_.containers()[container];
  if (state.run != run || state.phase != ContainerState::Phase::kStarting) return;
  if (life_.deleting()) {
    life_.start_failed(container, "PodDeleted", "", now());
    return step();
  }
  if (!prepared) {
    const char* reason =
        prepared.error().code == Code::kConflict ? "PortInUse" : "CreateContainerConfigError";
    const bool mount = prepared.error().field == kMountField;
    if (mount) prepared.error().field.clear();
    tell(true, container, mount ? "FailedMount" : "Failed",
         (mount ? "" : "Error: ") + describe(prepared.error()));
    life_.start_failed(container, reason, describe(prepared.error()), now());
    return step();
  }
  auto child = spawn(prepared->command);
  if (!child) {
    tell(true, container, "Failed", "Error: failed to start container: " + describe(child.error()));
    life_.start_failed(container, "RunContainerError", describe(child.error()), now());
    return step();
  }
  write_pid_file(prepared->log_dir, *child);
  remove_old_logs(prepared->log_dir, state.restarts);
  auto running = std::make_shared<Running>(around_.loop, *child,
                                           prepared->log_dir / (std::to_string(state.restarts) + ".log"),
                                           around_.options.logs);
  running_[container] = running;
  commands_[container] = std::move(prepared->command);
  life_.started(container, now());
  const resource::Container& spec = life_.plan().containers[container].spec;
  tell(false, container, "Pulled", "Container image \"" + spec.image + "\" already present on machine");
  tell(false, container, "Created", "Created container: " + spec.name);
  tell(false, container, "Started", "Started container " + spec.name);
  around_.tasks.spawn(pump(running, false));
  around_.tasks.spawn(pump(running, true));
  around_.tasks.spawn(wait_exit(shared_from_this(), container, run, running));
  step();
}

net::Task<void> PodRunner::pump(RunningPtr running, bool error_stream) {
  const Clock& clock = around_.clock;
  net::FdWatch& watch = error_stream ? running->err : running->out;
  while (co_await watch.readable()) {
    if (!running->drain(error_stream, clock.wall())) co_return;
  }
}

net::Task<void> PodRunner::wait_exit([[maybe_unused]] std::shared_ptr<PodRunner> self, std::size_t container,
                                     int run, RunningPtr running) {
  do {  // a first "readable" may come before there is anything to read
    if (!co_await running->exit.readable()) co_return;
  } while (!has_ended(running->child));
  // A shell is ended by the order to stop, and the engine that it started finishes its streams; Lifecycle
  // kills both in time. A program that ends by itself takes the rest along, as in a container.
  constexpr Duration kLook = std::chrono::milliseconds(50);
  net::Alarm pause(around_.loop);
  while (life_.containers()[container].run == run &&
         life_.containers()[container].phase == ContainerState::Phase::kStopping &&
         was_ended_by(running->child, SIGTERM) && group_lives_on(running->child)) {
    co_await pause.after(kLook);
  }
  const ExitStatus status = collect(running->child);
  running->drain(false, around_.clock.wall());
  running->drain(true, around_.clock.wall());
  running->log.finish(around_.clock.wall());
  running->out.cancel();
  running->err.cancel();
  if (running_[container] == running) running_[container].reset();
  const ContainerPlan& plan = life_.plan().containers[container];
  remove_pid_file(pod_dir() / plan.spec.name);
  const bool expected = life_.deleting() || (status.code == 0 && status.signal == 0);
  if (!expected) {
    const std::string how = status.signal != 0 ? "was ended by signal " + std::to_string(status.signal)
                                               : "ended with status " + std::to_string(status.code);
    std::string last = running->log.tail().substr(0, running->log.tail().find_last_not_of('\n') + 1);
    last = last.substr(last.find_last_of('\n') + 1);
    say(Notice::Kind::kProblem,
        "container " + plan.spec.name + " " + how + (last.empty() ? "" : ": " + last));
  }
  if (life_.containers()[container].run == run) {
    life_.exited(container, status.code, status.signal, now());
    step();
  }
}

net::Task<void> PodRunner::probe([[maybe_unused]] std::shared_ptr<PodRunner> self, std::size_t container,
                                 ProbeRole role, int run, ProbePlan plan) {
  const ProbeResult result = co_await check(container, std::move(plan));
  // Early tries are off the record and not worth an event.
  const bool on_record = life_.containers()[container].probes[static_cast<std::size_t>(role)].on_record;
  if (!result.success && on_record && life_.containers()[container].run == run && !life_.deleting())
    tell_probe(container, role, result);
  life_.probed(container, role, run, result.success, result.message, now());
  const bool first = result.success && role != ProbeRole::kLiveness &&
                     life_.containers()[container].probes[1].successes == 1;
  step();
  // Behind the status, which must not wait: the kernel's list of connections may be long.
  if (first) check_listeners(container, run);
}

net::Task<ProbeResult> PodRunner::check(std::size_t container, ProbePlan plan) {
  if (plan.kind != ProbeKind::kExec)
    co_return co_await probe_network(around_.loop, std::move(plan), pod_ip());
  Command command = *commands_[container];
  command.argv = plan.command;
  command.quiet = true;
  co_return co_await run_to_end(std::move(command), plan.timeout);
}

net::Task<ProbeResult> PodRunner::run_to_end(Command command, Duration timeout) {
  const auto child = spawn(command);
  if (!child) co_return ProbeResult{false, describe(child.error())};
  bool late = false;
  net::Timer killer(around_.loop, [&] {
    late = true;
    signal_group(*child, SIGKILL);
  });
  killer.arm(around_.loop.now() + timeout);
  {
    net::FdWatch exit(around_.loop, child->pidfd);
    do {
      co_await exit.readable();
    } while (!has_ended(*child));
  }
  const ExitStatus status = collect(*child);
  ::close(child->pidfd);
  if (late) co_return ProbeResult{false, "command timed out"};
  if (status.code == 0 && status.signal == 0) co_return ProbeResult{true, {}};
  co_return ProbeResult{
      false, "command ended with status " + std::to_string(status.code + (status.signal != 0 ? 128 : 0))};
}

net::Task<void> PodRunner::pre_stop([[maybe_unused]] std::shared_ptr<PodRunner> self, std::size_t container,
                                    int run) {
  const ContainerPlan& plan = life_.plan().containers[container];
  if (plan.pre_stop_wait) {
    net::Alarm alarm(around_.loop);
    co_await alarm.after(*plan.pre_stop_wait);
  } else {
    ProbePlan hook = *plan.pre_stop;
    hook.timeout = life_.plan().grace;
    const ProbeResult result = co_await check(container, std::move(hook));
    if (!result.success) tell(true, container, "FailedPreStopHook", "PreStopHook failed: " + result.message);
    if (!result.success)
      say(Notice::Kind::kProblem, "preStop of " + plan.spec.name + " failed: " + result.message);
  }
  life_.pre_stop_done(container, run);
  step();
}

// A program that is not ours may listen on every address: said once it serves.
void PodRunner::check_listeners(std::size_t container, int run) {
  const RunningPtr running = running_[container];
  if (!running || life_.containers()[container].run != run) return;
  around_.worker.post([around = &around_, container, group = running->child.pid, self = weak_from_this()] {
    const auto ports = wildcard_ports_of_group(group);
    if (ports.empty()) return;
    around->loop.post([self, container, port = ports.front()] {
      const auto runner = self.lock();
      if (!runner) return;
      const std::string message =
          "container " + runner->life_.plan().containers[container].spec.name +
          " listens on every address at port " + std::to_string(port) +
          ", which takes the port from all other pods and from the gateway; make it listen on "
          "$(POD_IP), for example with --host $(POD_IP)";
      runner->findings_ = {{"tidegate.dev/WildcardListener", "ListensEverywhere", message}};
      runner->say(Notice::Kind::kProblem, message);
      runner->report();
    });
  });
}

void PodRunner::tell_changes() {
  const bool ready = life_.ready();
  if (ready && !was_ready_) {
    const double took = seconds(around_.clock.wall() - started_);
    say(Notice::Kind::kReady, "ready after " + std::to_string(std::lround(took * 1000)) + " ms");
  }
  if (!ready && was_ready_ && !life_.deleting()) say(Notice::Kind::kProblem, "no longer ready");
  was_ready_ = ready;
  for (std::size_t i = 0; i < told_waiting_.size(); ++i) {
    const ContainerState& state = life_.containers()[i];
    const bool waits =
        state.phase == ContainerState::Phase::kWaiting && !state.message.empty() && !life_.deleting();
    const std::string text = waits ? state.reason + ": " + state.message : std::string();
    if (waits && state.reason == "CrashLoopBackOff" && text != told_waiting_[i]) {
      const ContainerPlan& plan = life_.plan().containers[i];
      tell(true, i, "BackOff",
           "Back-off restarting failed container " + plan.spec.name + " in pod " + key().name + "_" +
               key().namespace_ + "(" + uid() + ")");
    }
    if (waits && state.hopeless && text != told_waiting_[i]) {
      const std::string& image = life_.plan().containers[i].spec.image;
      tell(true, i, "Failed", "Failed to pull image \"" + image + "\": " + state.message);
    }
    // What the image map did not know was said at the start.
    if (!text.empty() && text != told_waiting_[i] && !state.hopeless) {
      say(Notice::Kind::kProblem, "container " + life_.plan().containers[i].spec.name + " waits, " + text);
    }
    told_waiting_[i] = text;
  }
}

void PodRunner::report() {
  PodReport report{&life_, place_.pod_ip, place_.host_ip, started_, {}, findings_};
  for (const RunningPtr& running : running_) {
    report.pids.push_back(running ? "tidegate://" + std::to_string(running->child.pid) : std::string());
  }
  // The times of conditions come from what was written last, not from an object that may lag behind.
  Json before = object_->json();
  if (reported_) before["status"] = *reported_;
  auto status = std::make_shared<const Json>(pod_status(report, before, around_.clock.wall()));
  if (!link_up_) return;
  // When the home closes, its pods' objects stay as they are: they are to run again at the next start.
  const bool changed = !closed_ && (!reported_ || !resource::same_content(*reported_, *status));
  if (changed) {
    reported_ = status;
    around_.worker.post("status/" + uid(), [client = &around_.client, key = key(), uid = uid(), status] {
      write_status(*client, key, uid, *status);
    });
  }
  if (life_.gone() && removed_through_api_) {
    removed_through_api_ = false;
    around_.worker.post([client = &around_.client, key = key(), uid = uid(), dir = pod_dir()] {
      const resource::Kind& kind = *resource::find_kind("v1", "Pod");
      const auto object = client->get(kind, key);
      if (object && (*object)->metadata().uid == uid) {
        if (auto removed = client->remove(kind, key, {.grace_s = 0, .uid = uid}); !removed) {
          log::warning("machine", "cannot remove an ended pod",
                       {{"pod", key.text()}, {"error", describe(removed.error())}});
        }
      }
      std::error_code ignored;
      fs::remove_all(dir, ignored);
    });
  }
}

}  // namespace tidegate::machine
