#include "cli/home.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <thread>
#include <tuple>

#include "base/random.h"
#include "cli/folder_lock.h"
#include "cluster/apiserver/server.h"
#include "cluster/files.h"
#include "cluster/store/store.h"
#include "control/autoscale/controllers.h"
#include "control/autoscale/sources/sources.h"
#include "control/loop/controller.h"
#include "control/node/controllers.h"
#include "control/nodepool/controllers.h"
#include "control/placement/controllers.h"
#include "control/serving/controller.h"
#include "control/workload/controllers.h"
#include "gateway/gateway.h"
#include "machine/restart.h"
#include "resource/fields.h"

namespace tidegate::cli {
namespace {

namespace fs = std::filesystem;
using resource::Json;
using resource::ObjectPtr;

constexpr Duration kPodGrace = std::chrono::seconds(10);  // at most, when the home closes

std::vector<const resource::Kind*> gateway_kinds() {
  std::vector<const resource::Kind*> kinds;
  for (const char* group : {"networking.istio.io/v1", "gateway.networking.k8s.io/v1"}) {
    if (const resource::Kind* kind = resource::find_kind(group, "Gateway")) kinds.push_back(kind);
  }
  return kinds;
}

std::string plural(int count, const char* what) { return std::to_string(count) + " " + what; }

}  // namespace

struct Home::State {
  State(HomeOptions the_options, const Clock& the_clock, std::function<void(const Line&)> the_say,
        std::function<void()> the_changed)
      : options(std::move(the_options)),
        clock(the_clock),
        print(std::move(the_say)),
        changed(std::move(the_changed)) {}

  void say(Line line) {
    const std::lock_guard held(say_mutex);
    print(line);
  }

  void on_files(const cluster::FileReport& report);
  Result<void> make_namespaces();
  Result<void> start_api();
  void on_pod(const cluster::Change& change);
  void start_autoscaler();

  const HomeOptions options;
  const Clock& clock;
  std::mutex say_mutex;
  const std::function<void(const Line&)> print;
  const std::function<void()> changed;

  FolderLock lock;
  std::unique_ptr<cluster::Store> store;
  std::unique_ptr<loop::Caches> caches;  // for what is told and counted here
  std::unique_ptr<loop::Runtime> runtime;
  std::unique_ptr<machine::Machine> machine;
  std::unique_ptr<apiserver::ApiServer> api;  // after the machine, whose logs it reads
  std::string api_address;
  std::unique_ptr<gateway::Gateway> gateway;
  std::unique_ptr<sources::Sources> sources;  // the autoscaler's
  std::unique_ptr<loop::Runtime> autoscaler;
  std::unique_ptr<cluster::FileSource> files;
  std::jthread files_thread;
  std::atomic<bool> files_read{false};
};

void Home::State::on_files(const cluster::FileReport& report) {
  std::string text;
  const auto add = [&](int count, const char* what) {
    if (count > 0) text += (text.empty() ? "" : ", ") + plural(count, what);
  };
  add(report.created, "created");
  add(report.configured, "changed");
  add(report.removed, "removed");
  if (!text.empty()) say({Line::Tone::kPlain, "objects", text});
  for (const std::string& error : report.errors) say({Line::Tone::kBad, "objects", error});
}

// Whoever waits for a node has no machine to speak for it.
void Home::State::on_pod(const cluster::Change& change) {
  changed();
  if (change.after == nullptr) return;
  const auto why = [](const ObjectPtr& pod) {
    const Json* scheduled = pod == nullptr ? nullptr : resource::condition(pod->json(), "PodScheduled");
    const bool waits = scheduled != nullptr && resource::text(*scheduled, "status") == "False";
    return waits ? resource::text(*scheduled, "message") : std::string();
  };
  const std::string now = why(change.after);
  if (!now.empty() && now != why(change.before)) {
    say({Line::Tone::kBad, "pod " + cluster::key_of(*change.after).text(), "waits for a node: " + now});
  }
}

Result<void> Home::State::make_namespaces() {
  const resource::Kind& kind = *resource::find_kind("v1", "Namespace");
  const auto made = store->create(
      kind, Json{{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", "istio-system"}}}});
  if (!made && made.error().code != Code::kConflict) return tl::unexpected(made.error());
  return {};
}

// After the gateway and the machine, which it asks.
void Home::State::start_autoscaler() {
  sources = std::make_unique<sources::Sources>(
      sources::Options{.gateways = {gateway->stats_address().text()}, .prometheus = {}},
      [usage = machine->kubelet().pod_usage] { return usage(); }, clock);
  autoscaler = std::make_unique<loop::Runtime>(*store, clock);
  autoscale::Metrics metrics;
  metrics.gather = [this](const autoscale::Subject& subject, WallTime now) {
    return sources->gather(subject, now);
  };
  metrics.forget = [this](const std::string& key) { sources->forget(key); };
  const auto read_scale = [this](const cluster::Reference& target) { return store->scale(target); };
  for (loop::Controller& controller : autoscale::controllers(std::move(metrics), read_scale, {})) {
    autoscaler->add(std::move(controller));
  }
  autoscaler->start();
}

Result<void> Home::State::start_api() {
  ApiPlace place = options.api;
  place.data_dir = options.data_dir;
  auto served = serve_api(*store, clock, place, machine->kubelet(), [this](const std::string& text) {
    say({Line::Tone::kBad, "api", text});
  });
  if (!served) return tl::unexpected(served.error());
  api = std::move(served->server);
  api_address = std::move(served->address);
  return {};
}

Home::Home(HomeOptions options, const Clock& clock, std::function<void(const Line&)> say,
           std::function<void()> changed)
    : state_(std::make_unique<State>(std::move(options), clock, std::move(say), std::move(changed))) {}

Home::~Home() { stop(); }

Result<void> Home::start() {
  State& s = *state_;
  if (auto locked = s.lock.take(s.options.data_dir); !locked) return locked;
  if (!s.options.ready_file.empty()) {
    std::error_code ignored;
    fs::remove(s.options.ready_file, ignored);
  }
  auto store = cluster::Store::open(s.options.data_dir / "tidegate.db", s.clock, Random::from_system());
  if (!store) return tl::unexpected(store.error());
  s.store = *std::move(store);
  s.caches = std::make_unique<loop::Caches>(*s.store);
  if (auto marked = machine::mark_ended(*s.store, s.options.machine.node, s.clock.wall()); !marked)
    return marked;
  if (auto made = s.make_namespaces(); !made) return made;

  s.caches->subscribe(*resource::find_kind("v1", "Pod"),
                      [&s](const cluster::Change& change) { s.on_pod(change); });
  s.caches->subscribe(*resource::find_kind("apps/v1", "Deployment"),
                      [&s](const cluster::Change&) { s.changed(); });
  for (const resource::Kind* kind : gateway_kinds()) {
    s.caches->subscribe(*kind, [&s](const cluster::Change&) { s.changed(); });
  }
  s.caches->start();

  s.runtime = std::make_unique<loop::Runtime>(*s.store, s.clock);
  const auto add = [&s](std::vector<loop::Controller> controllers) {
    for (loop::Controller& controller : controllers) s.runtime->add(std::move(controller));
  };
  add(workload::controllers(Random::from_system()));
  add(placement::controllers());
  add(nodepool::controllers());
  add(node::controllers());
  add(serving::controllers(s.options.serving));
  s.runtime->start();

  s.gateway = std::make_unique<gateway::Gateway>(
      *s.store, s.options.gateway, s.clock, [&s](const gateway::Notice& notice) {
        s.say({notice.ok ? Line::Tone::kPlain : Line::Tone::kBad, "gateway", notice.text});
      });
  if (auto started = s.gateway->start(); !started) return started;

  s.machine = std::make_unique<machine::Machine>(
      *s.store, s.options.machine, s.clock, [&s](const machine::Notice& notice) {
        using Kind = machine::Notice::Kind;
        const auto tone = notice.kind == Kind::kProblem ? Line::Tone::kBad
                          : notice.kind == Kind::kReady ? Line::Tone::kGood
                                                        : Line::Tone::kPlain;
        s.say({tone, notice.node.empty() ? "pod " + notice.pod.text() : "node " + notice.node, notice.text});
      });
  if (auto started = s.machine->start(); !started) return started;
  if (auto started = s.start_api(); !started) return started;
  s.start_autoscaler();

  cluster::FileOptions file_options;
  file_options.on_report = [&s](const cluster::FileReport& report) { s.on_files(report); };
  s.files =
      std::make_unique<cluster::FileSource>(*s.store, s.clock, s.options.files, std::move(file_options));
  s.files_thread = std::jthread([&s](std::stop_token stop) {
    s.on_files(s.files->sync_once());
    s.files_read = true;
    s.changed();
    s.files->run(stop);
  });
  return {};
}

Progress Home::progress() const {
  State& s = *state_;
  Progress progress;
  progress.files_read = s.files_read;
  for (const ObjectPtr& deployment : s.caches->list(*resource::find_kind("apps/v1", "Deployment"))) {
    progress.pods_wanted += static_cast<int>(resource::number(deployment->json(), "spec.replicas", 1));
  }
  for (const ObjectPtr& pod : s.caches->list(*resource::find_kind("v1", "Pod"))) {
    const std::string phase = resource::text(pod->json(), "status.phase");
    if (pod->metadata().owner_references.empty() && phase != "Succeeded") ++progress.pods_wanted;
    const bool leaving = !pod->metadata().deletion_timestamp.empty();
    if (!leaving && resource::condition_is_true(pod->json(), "Ready")) ++progress.pods_ready;
  }
  for (const resource::Kind* kind : gateway_kinds()) {
    for (const ObjectPtr& gateway : s.caches->list(*kind)) {
      ++progress.gateways_wanted;
      if (resource::condition_is_true(gateway->json(), "Programmed")) ++progress.gateways_ready;
    }
  }
  return progress;
}

std::vector<std::string> Home::addresses() const {
  std::set<std::string> found;
  for (const resource::Kind* kind : gateway_kinds()) {
    for (const ObjectPtr& gateway : state_->caches->list(*kind)) {
      for (const auto& [list, protocol, port] : {std::tuple("spec.servers", "port.protocol", "port.number"),
                                                 {"spec.listeners", "protocol", "port"}}) {
        const Json* entries = resource::find_array(gateway->json(), list);
        if (entries == nullptr) continue;
        for (const Json& entry : *entries) {
          const bool tls = resource::text(entry, protocol) == "HTTPS";
          found.insert(std::string(tls ? "https" : "http") +
                       "://localhost:" + std::to_string(resource::number(entry, port)));
        }
      }
    }
  }
  return {found.begin(), found.end()};
}

std::string Home::stats_address() const { return "http://" + state_->gateway->stats_address().text(); }

std::string Home::api_address() const { return state_->api_address; }

std::filesystem::path Home::kubeconfig() const { return state_->options.data_dir / "kubeconfig"; }

void Home::reopen_logs() { state_->gateway->reopen_logs(); }

void Home::stop() {
  State& s = *state_;
  // Requests first: they need the engines. Objects next, so that nothing starts a pod anew.
  if (s.autoscaler) s.autoscaler->stop();
  if (s.gateway) s.gateway->drain();
  s.gateway.reset();
  if (s.files_thread.joinable()) {
    s.files_thread.request_stop();
    s.files_thread.join();
  }
  if (s.api) s.api->stop();
  if (s.runtime) s.runtime->stop();
  if (s.machine) s.machine->stop(kPodGrace);
  if (s.caches) s.caches->stop();
}

void Home::kill() {
  if (state_->machine) state_->machine->kill();
}

std::vector<std::string> host_addresses() {
  std::vector<std::string> found = {"127.0.0.1"};
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return found;
  for (const ifaddrs* each = all; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != AF_INET ||
        (each->ifa_flags & IFF_LOOPBACK) != 0 || (each->ifa_flags & IFF_UP) == 0) {
      continue;
    }
    char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(each->ifa_addr)->sin_addr, text, sizeof text);
    if (std::find(found.begin(), found.end(), text) == found.end()) found.emplace_back(text);
  }
  freeifaddrs(all);
  return found;
}

}  // namespace tidegate::cli
