// Serving the API, and the verb that does nothing else: tidegate apiserver.

#include "cli/api_server.h"

#include <signal.h>

#include <iostream>
#include <utility>

#include "base/random.h"
#include "cli/access.h"
#include "cli/folder_lock.h"
#include "cli/server.h"
#include "cli/verbs.h"
#include "net/loop.h"
#include "net/signals.h"

namespace tidegate::cli {

Result<ServedApi> serve_api(cluster::Store& store, const Clock& clock, const ApiPlace& place,
                            cluster::Kubelet kubelet, const std::function<void(const std::string&)>& say) {
  auto access = open_access(place.data_dir / "pki", {place.bind}, clock.wall());
  if (!access) return tl::unexpected(access.error());
  const auto tls = net::TlsServer::make({.entries = {{.certificate = access->server}}});
  if (!tls) return tl::unexpected(tls.error());
  ServedApi served;
  const auto try_port = [&](int port) -> Result<net::Address> {
    const auto address = net::Address::parse(place.bind, static_cast<std::uint16_t>(port));
    if (!address) return invalid("--api-bind", "is '" + place.bind + "'; use an IP address");
    apiserver::ServerOptions options{.address = *address, .token = access->token, .build = TIDEGATE_VERSION};
    options.tls = *tls;
    options.kubelet = kubelet;
    options.kinds = store.kinds();
    served.server = std::make_unique<apiserver::ApiServer>(store, clock, std::move(options));
    return served.server->start();
  };
  auto bound = try_port(place.port);
  if (!bound && bound.error().code == Code::kConflict && !place.port_given) {
    say("port " + std::to_string(place.port) + " is taken; another one is used");
    bound = try_port(0);
  }
  if (!bound)
    return fail(bound.error().code, describe(bound.error()) + "; use another --api-port", "the API server");
  served.address = "https://" + bound->text();
  auto written = write_private(place.data_dir / "kubeconfig", kubeconfig_text(*access, served.address));
  if (!written) return tl::unexpected(written.error());
  return served;
}

namespace {

net::Task<void> stop_at_signal(net::Loop& loop, net::Signals& signals) {
  (void)co_await signals.next();
  loop.stop();
}

int run_api_server(const ApiPlace& place) {
  net::Loop loop;
  net::Signals signals(loop, {SIGINT, SIGTERM});
  const SystemClock clock;
  FolderLock lock;
  if (auto taken = lock.take(place.data_dir); !taken) return report("apiserver", taken.error());
  const auto store = cluster::Store::open(place.data_dir / "tidegate.db", clock, Random::from_system());
  if (!store) return report("apiserver", store.error());
  const auto say = [](const std::string& text) { std::cerr << text << std::endl; };
  auto served = serve_api(**store, clock, place, {}, say);
  if (!served) return report("apiserver", served.error());
  std::cerr << "the API alone at " << served->address
            << ": objects are kept, and nothing acts on them; export KUBECONFIG="
            << (place.data_dir / "kubeconfig").string() << std::endl;
  net::TaskGroup tasks;
  tasks.spawn(stop_at_signal(loop, signals));
  loop.run();
  served->server->stop();
  return 0;
}

}  // namespace

void add_api_server(Command app, int& status) {
  Command verb =
      app.add_subcommand("apiserver", "Runs the API server alone: objects, and nothing that acts on them");
  auto place = std::make_shared<ApiPlace>();
  place->data_dir = "tidegate-data";
  verb.add_option("--data", place->data_dir, "Folder for the objects (tidegate.db) and the kubeconfig")
      .capture_default_str();
  const Flag port = verb.add_option("--api-port", place->port, "Port of the API server; 0 takes a free one")
                        .between(0, 65535)
                        .capture_default_str();
  verb.add_option("--api-bind", place->bind, "Address of the API server").capture_default_str();
  verb.callback([place, port, &status] {
    place->port_given = port.count() > 0;
    status = run_api_server(*place);
  });
}

}  // namespace tidegate::cli
