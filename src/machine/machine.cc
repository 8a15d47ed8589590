#include "machine/machine.h"

#include <signal.h>

#include <fstream>
#include <future>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <thread>

#include "base/log.h"
#include "cluster/informer.h"
#include "machine/address_pool.h"
#include "machine/exec.h"
#include "machine/log_reader.h"
#include "machine/node_keeper.h"
#include "machine/pod_runner.h"
#include "machine/sweep.h"
#include "resource/fields.h"
#include "resource/kind.h"

namespace tidegate::machine {
namespace {

namespace fs = std::filesystem;
using resource::Json;
using resource::ObjectPtr;

constexpr const char* kCursorFile = "address-cursor";
constexpr Duration kExecPatience = std::chrono::seconds(5);  // with the machine's own thread
constexpr Duration kYoungUsageWindow = std::chrono::seconds(1);

std::uint64_t read_cursor(const fs::path& data_dir) {
  std::ifstream file(data_dir / kCursorFile);
  std::uint64_t cursor = 0;
  return file >> cursor ? cursor : 0;
}

void write_cursor(const fs::path& data_dir, std::uint64_t cursor) {
  std::ofstream file(data_dir / kCursorFile, std::ios::trunc);
  file << cursor << '\n';
}

}  // namespace

struct Machine::State {
  State(cluster::Client& the_client, MachineOptions the_options, const Clock& the_clock,
        std::function<void(Notice)> the_notify)
      : client(the_client),
        options(std::move(the_options)),
        clock(the_clock),
        notify(std::move(the_notify)),
        events(client, clock),
        heartbeat(loop, [this] { beat(); }),
        usage_timer(loop, [this] { look_at_usage(); }) {}

  Result<void> prepare();
  void beat();
  void on_node(const ObjectPtr& object, bool deleted);
  void run_pods_of(const std::string& node);
  void forget_pods_of(const std::string& node);
  void after_link_loss(const std::string& node);
  void look_at_usage();
  // From any other thread.
  Result<std::shared_ptr<cluster::Execution>> exec(const resource::Object& pod, const cluster::ExecOptions& wanted);
  void on_pod(ObjectPtr object, bool deleted);
  void add(const ObjectPtr& object, const HostedNode& node);
  net::Task<void> close_all(Duration grace);
  void sweep_gone();
  void remove_old_folders();

  cluster::Client& client;
  const MachineOptions options;
  const Clock& clock;
  const std::function<void(Notice)> notify;
  const resource::Kind* pod_kind = nullptr;
  const resource::Kind* node_kind = nullptr;
  HomePaths home;
  cluster::EventRecorder events;

  net::Loop loop;
  net::TaskGroup tasks;
  Worker worker;
  net::Timer heartbeat;
  net::Timer usage_timer;
  UsageBook usage;
  std::map<std::pair<pid_t, std::uint64_t>, int> usage_looks;  // at each container's process
  TimePoint usage_due{};
  std::unique_ptr<ImageMap> images;
  std::unique_ptr<AddressPool> addresses;
  std::unique_ptr<Surroundings> around;
  std::unique_ptr<NodeKeeper> nodes;                          // the loop's thread only
  std::map<std::string, std::shared_ptr<PodRunner>> runners;  // by uid; the loop's thread only
  bool closing = false;                                       // the loop's thread only
  bool cleaned = false;                                       // the loop's thread only
  net::TaskGroup closer;

  std::unique_ptr<cluster::Informer> informer;  // of pods
  std::unique_ptr<cluster::Informer> node_informer;
  std::jthread informer_thread;
  std::jthread node_informer_thread;
  std::thread loop_thread;
};

Result<void> Machine::State::prepare() {
  pod_kind = resource::find_kind("v1", "Pod");
  node_kind = resource::find_kind("v1", "Node");
  std::error_code error;
  fs::create_directories(options.data_dir, error);
  if (error)
    return fail(Code::kInternal, "cannot make " + options.data_dir.string() + ": " + error.message());
  home.data_dir = fs::canonical(options.data_dir, error);
  home.program = options.program;
  const char* path = std::getenv("PATH");
  home.path = path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path;

  auto map = ImageMap::make(options.engine, options.image_rules);
  if (!map) return tl::unexpected(map.error());
  images = std::make_unique<ImageMap>(*std::move(map));
  auto pool = AddressPool::make(options.pod_range, read_cursor(home.data_dir));
  if (!pool) return tl::unexpected(pool.error());
  addresses = std::make_unique<AddressPool>(*std::move(pool));
  auto node_addresses = AddressPool::make(options.node_range);
  if (!node_addresses) return tl::unexpected(node_addresses.error());
  around = std::make_unique<Surroundings>(
      Surroundings{loop, tasks, worker, client, events, clock, options, home, *images, notify});
  nodes = std::make_unique<NodeKeeper>(*around, *std::move(node_addresses));
  if (const std::size_t ended = sweep_leftovers(home.data_dir); ended > 0) {
    log::warning("machine", "ended processes that an earlier run left behind", {{"count", ended}});
  }
  return write_shims(home);
}

void Machine::State::beat() {
  nodes->beat();
  heartbeat.arm(loop.now() + options.heartbeat);
  if (!usage_timer.armed()) look_at_usage();
  sweep_gone();
  if (!cleaned && informer && informer->synced()) {
    cleaned = true;
    worker.post([this] { remove_old_folders(); });
  }
}

void Machine::State::on_node(const ObjectPtr& object, bool deleted) {
  if (closing) return;
  const std::string& name = object->name();
  const auto say = [&](Notice::Kind kind, const char* text) { notify({kind, {}, text, name}); };
  switch (nodes->on_node(object, deleted)) {
    case NodeChange::kNone:
      return;
    case NodeChange::kJoined:
      if (name != options.node) say(Notice::Kind::kInfo, "is up");
      run_pods_of(name);
      break;
    case NodeChange::kLeft:
      say(Notice::Kind::kInfo, "is gone");
      forget_pods_of(name);
      break;
    case NodeChange::kLinkLost:
      say(Notice::Kind::kProblem, "is no longer heard of (tidegate.dev/fail)");
      for (const auto& [uid, runner] : runners) {
        if (runner->node() == name) runner->set_link(false);
      }
      break;
    case NodeChange::kCrashed:
      say(Notice::Kind::kProblem, "crashed (tidegate.dev/fail)");
      for (const auto& [uid, runner] : std::map(runners)) {
        if (runner->node() != name) continue;
        runner->set_link(false);
        runner->close(Duration::zero());
        runner->kill();
      }
      break;
    case NodeChange::kBack:
      say(Notice::Kind::kInfo, "is back");
      after_link_loss(name);
      break;
  }
  usage.set_nodes(nodes->names());
}

// Pods that were bound before their node was known here, or while nothing was heard of it.
void Machine::State::run_pods_of(const std::string& node) {
  if (!informer) return;
  for (const ObjectPtr& pod : informer->list()) {
    if (resource::text(pod->json(), "spec.nodeName") == node) on_pod(pod, false);
  }
}

// The node is no more: what ran there is ended in good order, and goes.
void Machine::State::forget_pods_of(const std::string& node) {
  std::vector<cluster::Key> keys;
  for (const ObjectPtr& pod : informer->list()) {
    if (resource::text(pod->json(), "spec.nodeName") == node) keys.push_back(cluster::key_of(*pod));
  }
  for (const auto& [uid, runner] : runners) {
    if (runner->node() == node) runner->set_link(true);
  }
  worker.post([this, keys = std::move(keys)] {
    for (const cluster::Key& key : keys) (void)client.remove(*pod_kind, key);
  });
}

// What was removed meanwhile ends now; the rest is reported as it is.
void Machine::State::after_link_loss(const std::string& node) {
  for (const auto& [uid, runner] : std::map(runners)) {
    if (runner->node() != node) continue;
    runner->set_link(true);
    const ObjectPtr present = informer->get(runner->key());
    if (present == nullptr || present->metadata().uid != uid) {
      runner->close(Duration::zero());
    } else {
      runner->update(present);
    }
  }
  sweep_gone();
  run_pods_of(node);
}

// Every window; sooner while a container is young, because the first two looks make its first rate.
void Machine::State::look_at_usage() {
  usage_timer.arm(loop.now() + std::min<Duration>(options.usage_window, kYoungUsageWindow));
  std::vector<UsageTarget> targets;
  for (const auto& [uid, runner] : runners) {
    for (UsageTarget& target : runner->running()) targets.push_back(std::move(target));
  }
  std::map<std::pair<pid_t, std::uint64_t>, int> looks;
  bool young = false;
  for (const UsageTarget& target : targets) {
    const auto seen = usage_looks.find({target.group, target.started});
    const int times = seen == usage_looks.end() ? 0 : seen->second;
    young = young || times < 2;
    looks[{target.group, target.started}] = times + 1;
  }
  if (!young && loop.now() < usage_due) return;
  usage_due = loop.now() + options.usage_window;
  usage_looks = std::move(looks);
  worker.post("usage", [this, targets = std::move(targets)] {
    const auto groups = sample_groups();
    usage.take(targets, groups, clock.wall());
  });
}

Result<std::shared_ptr<cluster::Execution>> Machine::State::exec(const resource::Object& pod,
                                                                 const cluster::ExecOptions& wanted) {
  const auto choice = choose_log(pod, {.container = wanted.container});
  if (!choice) return tl::unexpected(choice.error());
  const auto found = std::make_shared<std::promise<pid_t>>();
  std::future<pid_t> group = found->get_future();
  loop.post([this, found, uid = pod.metadata().uid, container = choice->container] {
    pid_t pid = 0;
    for (const auto& [key, runner] : runners) {
      if (runner->uid() != uid) continue;
      for (const UsageTarget& target : runner->running()) {
        if (target.container == container) pid = target.group;
      }
    }
    found->set_value(pid);
  });
  const bool told = group.wait_for(kExecPatience) == std::future_status::ready;
  const pid_t beside = told ? group.get() : 0;
  if (beside == 0) {
    return fail(Code::kInvalid, "container " + choice->container + " of pod " + pod.name() + " does not run");
  }
  return execute(beside, wanted);
}

// Of pods that are gone: an earlier run kept their logs until now.
void Machine::State::remove_old_folders() {
  std::error_code error;
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(home.data_dir / "pods", error))
    folders.push_back(entry.path());
  // Read after the folders: a pod is known before it has one.
  std::set<std::string> present;
  for (const ObjectPtr& pod : informer->list()) present.insert(pod->metadata().uid);
  for (const fs::path& folder : folders) {
    const std::string name = folder.filename().string();
    if (!present.contains(name.substr(name.rfind('_') + 1))) fs::remove_all(folder, error);
  }
}

void Machine::State::on_pod(ObjectPtr object, bool deleted) {
  const std::string& uid = object->metadata().uid;
  const auto found = runners.find(uid);
  const HostedNode* const node = nodes->find(resource::text(object->json(), "spec.nodeName"));
  if (node != nullptr && node->failure != Failure::kNone) return;  // looked at again when the node is back
  if (found == runners.end()) {
    if (deleted || closing || node == nullptr) return;
    const std::string phase = resource::text(object->json(), "status.phase");
    if (phase != "Succeeded" && phase != "Failed") {
      add(object, *node);
    } else if (!object->metadata().deletion_timestamp.empty()) {
      worker.post(
          [this, key = cluster::key_of(*object)] { (void)client.remove(*pod_kind, key, {.grace_s = 0}); });
    }
    return;
  }
  if (deleted) {
    // Removed at once, without the machine being asked.
    found->second->close(Duration::zero());
  } else {
    found->second->update(std::move(object));
  }
  sweep_gone();
}

void Machine::State::add(const ObjectPtr& object, const HostedNode& node) {
  const auto pod = resource::Pod::from(*object);
  if (!pod) {
    notify({Notice::Kind::kProblem, cluster::key_of(*object), "cannot be read: " + describe(pod.error())});
    return;
  }
  auto ip = addresses->take();
  if (!ip) {
    notify({Notice::Kind::kProblem, cluster::key_of(*object), describe(ip.error())});
    return;
  }
  write_cursor(home.data_dir, addresses->cursor());
  auto runner =
      std::make_shared<PodRunner>(*around, object, plan_pod(*pod), PodPlace{*ip, node.address, node.name});
  runners[object->metadata().uid] = runner;
  runner->start();
}

void Machine::State::sweep_gone() {
  for (auto runner = runners.begin(); runner != runners.end();) {
    if (runner->second->gone()) {
      addresses->release(runner->second->pod_ip());
      runner = runners.erase(runner);
    } else {
      ++runner;
    }
  }
}

// Ends every pod and then the loop.
net::Task<void> Machine::State::close_all(Duration grace) {
  closing = true;
  heartbeat.disarm();
  usage_timer.disarm();
  for (const auto& [uid, runner] : std::map(runners)) runner->close(grace);
  net::Alarm alarm(loop);
  while (true) {
    sweep_gone();
    if (runners.empty()) break;
    co_await alarm.after(std::chrono::milliseconds(10));
  }
  co_await tasks.wait_empty();
  nodes->say_closing();
  loop.stop();
}

Machine::Machine(cluster::Client& client, MachineOptions options, const Clock& clock,
                 std::function<void(Notice)> notify)
    : state_(std::make_unique<State>(client, std::move(options), clock, std::move(notify))) {}

Machine::~Machine() { stop(Duration::zero()); }

Result<void> Machine::start() {
  State& s = *state_;
  if (auto prepared = s.prepare(); !prepared) return prepared;
  if (auto registered = s.nodes->register_home(); !registered) return registered;
  s.worker.start();
  s.informer =
      std::make_unique<cluster::Informer>(s.client, *s.pod_kind, [&s](const cluster::Change& change) {
        if (resource::text(change.object().json(), "spec.nodeName").empty()) return;
        s.loop.post([&s, object = change.after != nullptr ? change.after : change.before,
                     deleted = change.after == nullptr] { s.on_pod(object, deleted); });
      });
  s.node_informer =
      std::make_unique<cluster::Informer>(s.client, *s.node_kind, [&s](const cluster::Change& change) {
        s.loop.post([&s, object = change.after != nullptr ? change.after : change.before,
                     deleted = change.after == nullptr] { s.on_node(object, deleted); });
      });
  s.loop.post([&s] { s.beat(); });
  s.loop_thread = std::thread([&s] { s.loop.run(); });
  const auto run = [](cluster::Informer* informer) {
    return std::jthread([informer](std::stop_token stop) { informer->run(stop); });
  };
  s.informer_thread = run(s.informer.get());
  s.node_informer_thread = run(s.node_informer.get());
  return {};
}

void Machine::stop(Duration grace) {
  State& s = *state_;
  if (!s.loop_thread.joinable()) return;
  for (std::jthread* thread : {&s.informer_thread, &s.node_informer_thread}) thread->request_stop();
  for (std::jthread* thread : {&s.informer_thread, &s.node_informer_thread}) thread->join();
  s.loop.post([&s, grace] { s.closer.spawn(s.close_all(grace)); });
  s.loop_thread.join();
  s.worker.stop();
}

cluster::Kubelet Machine::kubelet() const {
  State* const s = state_.get();
  cluster::Kubelet kubelet;
  kubelet.open_log = [s](const resource::Object& pod,
                         const cluster::LogOptions& log_options) -> Result<cluster::LogReader> {
    const auto choice = choose_log(pod, log_options);
    if (!choice) return tl::unexpected(choice.error());
    return open_log(
        pod_folder(s->home.data_dir, cluster::key_of(pod), pod.metadata().uid) / choice->container,
        choice->run, log_options);
  };
  kubelet.exec = [s](const resource::Object& pod, const cluster::ExecOptions& exec_options) {
    return s->exec(pod, exec_options);
  };
  kubelet.pod_usage = [s] { return s->usage.pods(); };
  kubelet.node_usage = [s] { return s->usage.nodes(); };
  return kubelet;
}

void Machine::kill() {
  State& s = *state_;
  s.loop.post([&s] {
    for (const auto& [uid, runner] : s.runners) runner->kill();
  });
}

}  // namespace tidegate::machine
