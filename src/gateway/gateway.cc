#include "gateway/gateway.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <future>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "cluster/informer.h"
#include "gateway/kv_stats.h"
#include "gateway/listeners.h"
#include "gateway/publisher.h"
#include "gateway/remarks.h"
#include "gateway/stats.h"
#include "gateway/status.h"
#include "gateway/tls_servers.h"
#include "gateway/worker.h"
#include "net/handover.h"
#include "telemetry/process.h"

namespace tidegate::gateway {
namespace {

// One change is compiled at once, but for those that come with it; those of a burst (a file of ten objects, a
// rollout) at most this often.
constexpr Duration kTogether = std::chrono::milliseconds(1);
constexpr Duration kSettle = std::chrono::milliseconds(20);

// How often a listener that could not bind, or a status that could not be written, is tried again.
constexpr Duration kTryAgain = std::chrono::seconds(3);

// How long sockets of a gateway before this one may wait for a use, and how often that is looked at.
constexpr Duration kTakeoverPatience = std::chrono::seconds(10);
constexpr Duration kTakeoverLook = std::chrono::milliseconds(100);

// How long the start waits for what it may do without.
constexpr Duration kOptionalPatience = std::chrono::seconds(2);

struct Source {
  std::string_view api_version;
  std::string_view kind;
  std::vector<ObjectPtr> Inputs::*into;
  // Not waited for, as not everybody may read it; and only what its users wrote counts.
  bool optional = false;
};

// What the gateway reads. Several kinds may feed one input.
constexpr std::array<Source, 23> kSources{{
    {"networking.istio.io/v1", "Gateway", &Inputs::istio_gateways},
    {"gateway.networking.k8s.io/v1", "Gateway", &Inputs::gateways},
    {"istio.alibabacloud.com/v1", "LLMRoute", &Inputs::llm_routes},
    {"gateway.networking.k8s.io/v1", "HTTPRoute", &Inputs::http_routes},
    {"inference.networking.x-k8s.io/v1alpha2", "InferencePool", &Inputs::inference_pools},
    {"inference.networking.k8s.io/v1", "InferencePool", &Inputs::inference_pools},
    {"inference.networking.x-k8s.io/v1alpha2", "InferenceModel", &Inputs::inference_models},
    {"inference.networking.x-k8s.io/v1alpha2", "InferenceObjective", &Inputs::objectives},
    {"llm-d.ai/v1alpha2", "InferenceObjective", &Inputs::objectives},
    {"inference.networking.x-k8s.io/v1alpha2", "InferenceModelRewrite", &Inputs::model_rewrites},
    {"llm-d.ai/v1alpha2", "InferenceModelRewrite", &Inputs::model_rewrites},
    {"istio.alibabacloud.com/v1beta1", "ASMMeshConfig", &Inputs::mesh_configs},
    {"networking.k8s.io/v1", "Ingress", &Inputs::ingresses},
    {"v1", "Service", &Inputs::services},
    {"v1", "Pod", &Inputs::pods},
    {"discovery.k8s.io/v1", "EndpointSlice", &Inputs::endpoint_slices},
    {"v1", "Namespace", &Inputs::namespaces},
    {"v1", "Secret", &Inputs::secrets},
    {"v1", "ConfigMap", &Inputs::config_maps},
    {"gateway.networking.k8s.io/v1beta1", "ReferenceGrant", &Inputs::reference_grants},
    {"autoscaling/v2", "HorizontalPodAutoscaler", &Inputs::autoscalers, true},
    {"apps/v1", "Deployment", &Inputs::deployments, true},
    {"gateway.networking.k8s.io/v1", "BackendTLSPolicy", &Inputs::backend_tls_policies},
}};

struct Feed {
  const Source& source;
  std::unique_ptr<cluster::Informer> informer;
  std::jthread thread;
};

// More than its status: an autoscaler's is written every second.
bool is_rewritten(const cluster::Change& change) {
  return !change.before || !change.after ||
         change.before->metadata().generation != change.after->metadata().generation ||
         change.before->metadata().annotations != change.after->metadata().annotations;
}

// An endpoint's gate and the pool's saturation mean the same by full.
fleet::Options fleet_options(const Config& config) {
  fleet::Options options = config.fleet;
  options.gate.waiting = config.admit.waiting_threshold;
  options.gate.kv = config.admit.kv_threshold;
  return options;
}

// A listener that cannot bind makes its Gateways' findings say so.
void tell_bind_failures(std::vector<Finding>& findings, const Snapshot& snapshot,
                        const Listeners& listeners) {
  for (const Listener& listener : snapshot.listeners) {
    const std::string why = listeners.failure(listener.port);
    if (why.empty()) continue;
    for (Finding& finding : findings) {
      const std::string name = finding.object->namespace_() + "/" + finding.object->name();
      if (finding.object->kind() != "Gateway" ||
          std::ranges::find(listener.gateways, name) == listener.gateways.end())
        continue;
      std::erase_if(finding.conditions,
                    [](const Condition& condition) { return condition.type == "Programmed"; });
      finding.conditions.push_back({"Programmed", Truth::kFalse, "AddressNotUsable", why});
    }
  }
}

}  // namespace

struct Gateway::State {
  State(cluster::Client& the_client, Config the_config, const Clock& the_clock,
        std::function<void(const Notice&)> the_notify)
      : client(the_client),
        config(std::move(the_config)),
        clock(the_clock),
        notify(std::move(the_notify)),
        registry(config.workers + 1),
        prefixes(config.prefix_blocks_max),
        blocks(config.kv_blocks_max),
        tokens(config.kv_places_max),
        asker(loop, tokens, config.kv_tokenize_bytes),
        fleet(
            loop, fleet_options(config), [this] { publish(); }, &prefixes),
        follower(blocks, prefixes),
        listeners(workers, config.bind),
        settle(loop, [this] { compile_now(); }),
        try_again(loop, [this] { compile_now(); }),
        stats(loop, [this](http::Request& request, http::Responder& responder) {
          return serve_stats(
              registry, fleet, follower, [this] { return compiled_once; }, request, responder);
        }) {}

  Inputs gather() const;
  void changed();
  void compile_now();
  void publish();
  void report(const std::vector<Listeners::Change>& changes);
  Result<void> take_over();
  void conclude_takeover();
  void await_successor();
  net::Task<void> finish();

  cluster::Client& client;
  const Config config;
  const Clock& clock;
  std::function<void(const Notice&)> notify;
  net::Loop loop;
  telemetry::Registry registry;
  std::unique_ptr<telemetry::AccessLog> access_log;
  pick::PrefixIndex prefixes;  // outlives all that holds an endpoint
  pick::BlockIndex blocks;
  pick::TokenMap tokens;
  kvfeed::Asker asker;
  std::vector<std::unique_ptr<Worker>> workers;
  guard::Ledger ledger;
  fleet::Fleet fleet;
  kvfeed::Follower follower;
  Listeners listeners;
  Remarks remarks{client, clock};
  TlsServers tls_servers;
  EndpointClients endpoint_clients;
  std::vector<std::shared_ptr<net::TlsServer>> tls;  // of `snapshot`
  net::Timer settle;
  TimePoint compiled_at;
  net::Timer try_again;
  std::optional<net::Takeover> takeover;  // of the gateway before this one
  TimePoint takeover_ends;
  std::unique_ptr<net::HandoverServer> successor;
  std::string handover;  // where the way from one gateway to the next is; empty: nowhere
  http::Server stats;
  net::Address stats_address;
  std::vector<Feed> feeds;
  std::shared_ptr<const Snapshot> snapshot = std::make_shared<const Snapshot>();
  WaitingByPool waiting;
  TimePoint started = std::chrono::steady_clock::now();
  bool compiled_once = false;
  bool finishing = false;
  net::TaskGroup last;
  std::thread thread;
};

Inputs Gateway::State::gather() const {
  Inputs inputs;
  for (const Feed& feed : feeds) {
    std::vector<ObjectPtr> objects = feed.informer->list();
    std::vector<ObjectPtr>& into = inputs.*(feed.source.into);
    into.insert(into.end(), objects.begin(), objects.end());
  }
  inputs.ingress_port = config.ingress_port;
  inputs.ingress_tls_port = config.ingress_tls_port;
  inputs.ingress_addresses = config.bind;
  inputs.default_addresses = config.bind;
  return inputs;
}

// On any thread. The last change of a burst is never more than kSettle late.
void Gateway::State::changed() {
  loop.post([this] {
    if (!settle.armed() && !finishing) settle.arm(std::max(loop.now() + kTogether, compiled_at + kSettle));
  });
}

void Gateway::State::compile_now() {
  if (finishing) return;
  const bool patient = loop.now() < started + kOptionalPatience;
  const bool all_synced = std::ranges::all_of(
      feeds, [&](const Feed& feed) { return (feed.source.optional && !patient) || feed.informer->synced(); });
  if (!all_synced) {  // half a picture would refuse what the other half allows
    settle.arm(loop.now() + kSettle);
    return;
  }
  Compiled compiled = compile(gather());
  compiled_at = std::chrono::steady_clock::now();  // the loop's time stands still meanwhile
  snapshot = compiled.snapshot;
  compiled_once = true;
  waiting = waiting_of(*snapshot, waiting, workers.size());
  const std::vector<fleet::Wanted> wanted = wanted_by(*snapshot, endpoint_clients);
  fleet.set(wanted);
  std::vector<kvfeed::Source> told = told_by(*snapshot, fleet, config.pick);
  asker.set_engines(told.size());
  follower.set(std::move(told));
  tls = tls_servers.apply(*snapshot);
  publish();
  report(listeners.apply(*snapshot));
  tell_bind_failures(compiled.findings, *snapshot, listeners);
  remarks.tell(compiled.remarks);
  const Written written = write_statuses(compiled.findings, client, clock);
  if (takeover) conclude_takeover();
  if (listeners.any_failed() || written.failed > 0) try_again.arm(loop.now() + kTryAgain);
}

void Gateway::State::publish() {
  View view = view_of(snapshot, fleet, config.pick, waiting);
  view.tls = tls;
  for (const std::unique_ptr<Worker>& worker : workers) worker->set(view);
}

void Gateway::State::report(const std::vector<Listeners::Change>& changes) {
  for (const Listeners::Change& change : changes) {
    if (change.bound) {
      log::info("gateway", "listening", {{"address", change.address}});
      notify({true, "gateway listens on " + change.address});
    } else if (change.error.empty()) {
      log::info("gateway", "no longer listening", {{"address", change.address}});
      notify({true, "gateway no longer listens on " + change.address});
    } else {
      log::error("gateway", "cannot listen", {{"address", change.address}, {"why", change.error}});
      notify({false, change.error});
    }
  }
}

Result<void> Gateway::State::take_over() {
  Result<std::optional<net::Takeover>> begun = net::Takeover::begin(handover);
  if (!begun) return tl::unexpected(begun.error());
  takeover = *std::move(begun);
  if (!takeover) return {};
  takeover_ends = std::chrono::steady_clock::now() + kTakeoverPatience;
  listeners.hand_over(std::move(takeover->sockets()));
  return {};
}

// The one before goes when its sockets are in use here. What nobody wants any more is let go after a while:
// the configuration may have changed with the program.
void Gateway::State::conclude_takeover() {
  const bool late = loop.now() >= takeover_ends;
  if ((listeners.has_handed() || listeners.any_failed()) && !late) {
    settle.arm(loop.now() + kTakeoverLook);
    return;
  }
  listeners.drop_handed();
  takeover->finish();
  takeover.reset();
  log::info("gateway", "took the listeners over", {{"from", handover}});
  notify({true, "the gateway before this one was taken over and drains"});
  await_successor();
}

void Gateway::State::await_successor() {
  const auto sockets = [this] {
    std::vector<net::HandedSocket> all;
    for (const std::unique_ptr<Worker>& worker : workers) {
      for (net::HandedSocket& socket : worker->sockets()) all.push_back(std::move(socket));
    }
    return all;
  };
  // As if it had been told to stop.
  const auto taken = [] { ::kill(::getpid(), SIGTERM); };
  auto listening = net::HandoverServer::listen(handover, sockets, taken);
  if (listening) {
    successor = *std::move(listening);
  } else {
    log::error("gateway", "no successor can take over", {{"why", listening.error().message}});
  }
}

net::Task<void> Gateway::State::finish() {
  follower.set({});
  co_await asker.stop();
  co_await fleet.stop();
  co_await stats.drain(std::chrono::seconds(1));
  loop.stop();
}

Gateway::Gateway(cluster::Client& client, Config config, const Clock& clock,
                 std::function<void(const Notice&)> notify)
    : state_(std::make_unique<State>(client, std::move(config), clock, std::move(notify))) {}

Gateway::~Gateway() {
  if (state_->thread.joinable()) drain();
}

Result<void> Gateway::start() {
  State& s = *state_;
  if (!s.config.access_log.empty()) {
    telemetry::AccessLogOptions options;
    options.path = s.config.access_log;
    options.shards = s.config.workers;
    Result<std::unique_ptr<telemetry::AccessLog>> log = telemetry::AccessLog::open(options);
    if (!log) return tl::unexpected(log.error());
    s.access_log = *std::move(log);
  }
  if (!s.handover.empty()) {
    if (const Result<void> taken = s.take_over(); !taken) return taken;
  }
  for (const std::string& note : s.config.picker_notes)
    log::info("gateway", "means nothing here", {{"object", s.config.picker_config}, {"what", note}});
  const Result<net::Address> stats = net::Address::parse(s.config.stats_bind, s.config.stats_port);
  if (!stats) return tl::unexpected(stats.error());
  // Two gateways overlap while one takes over.
  const net::ListenOptions shared{.reuse_port = !s.handover.empty()};
  const Result<net::Address> bound = s.stats.listen(*stats, shared);
  if (!bound) return tl::unexpected(bound.error());
  s.stats_address = *bound;
  s.registry.add_collector([&s](telemetry::ExpositionWriter& writer) {
    write_fleet(writer, s.fleet.rows());
    write_waiting(writer, s.waiting);
    write_prefixes(writer, s.prefixes);
    write_kv(writer, s.fleet.rows(), {s.follower, s.blocks, s.tokens, s.asker});
  });
  telemetry::add_process_metrics(s.registry);
  for (std::uint32_t i = 0; i < s.config.workers; ++i) {
    s.workers.push_back(std::make_unique<Worker>(s.config, s.clock, s.registry, s.access_log.get(),
                                                 Caches{s.prefixes, s.blocks, s.tokens, s.asker}, s.ledger,
                                                 i));
  }
  if (!s.handover.empty() && !s.takeover) s.await_successor();
  s.feeds.reserve(kSources.size());
  for (const Source& source : kSources) {
    const resource::Kind* kind = resource::find_kind(source.api_version, source.kind);
    TG_CHECK(kind != nullptr);
    s.feeds.push_back({source,
                       std::make_unique<cluster::Informer>(s.client, *kind,
                                                           [&s, &source](const cluster::Change& change) {
                                                             if (!source.optional || is_rewritten(change))
                                                               s.changed();
                                                           }),
                       {}});
  }
  for (Feed& feed : s.feeds) {
    feed.thread =
        std::jthread([informer = feed.informer.get()](const std::stop_token& stop) { informer->run(stop); });
  }
  s.changed();
  s.thread = std::thread([&s] { s.loop.run(); });
  return {};
}

void Gateway::drain() {
  State& s = *state_;
  // Compiling ends before the workers do: it asks them to bind and waits for their answer.
  std::promise<void> quiet;
  s.loop.post([&] {
    s.finishing = true;
    s.settle.disarm();
    s.try_again.disarm();
    quiet.set_value();
  });
  quiet.get_future().wait();
  s.successor.reset();  // it asks the workers
  std::vector<std::future<void>> drained;
  for (const std::unique_ptr<Worker>& worker : s.workers)
    drained.push_back(worker->drain(s.config.drain_timeout));
  for (std::future<void>& worker : drained) worker.wait();
  for (Feed& feed : s.feeds) feed.thread.request_stop();
  for (Feed& feed : s.feeds) feed.thread.join();
  s.loop.post([&s] { s.last.spawn(s.finish()); });
  s.thread.join();
  s.workers.clear();
}

void Gateway::set_handover(std::string path) { state_->handover = std::move(path); }

void Gateway::reopen_logs() {
  if (state_->access_log) state_->access_log->reopen();
}

net::Address Gateway::stats_address() const { return state_->stats_address; }

}  // namespace tidegate::gateway
