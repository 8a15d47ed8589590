// tidegate gateway: the gateway alone, over manifests (-f PATH...) or a Kubernetes API server (--kubeconfig
// FILE).

#include "gateway/gateway.h"

#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "cli/verbs.h"
#include "cluster/files.h"
#include "cluster/remote/remote.h"
#include "cluster/store/store.h"
#include "net/loop.h"
#include "net/signals.h"

namespace tidegate::cli {
namespace {

struct Options {
  std::vector<std::string> paths;
  gateway::Config config;
  bool reference = false;
  std::string kubeconfig;
  bool in_cluster = false;
  std::string handover;
};

// What the gateway reads: a store that files fill, or an API server.
struct Source {
  std::unique_ptr<cluster::Store> store;
  std::unique_ptr<cluster::FileSource> files;
  std::unique_ptr<remote::Api> api;
  std::unique_ptr<remote::RemoteClient> remote;

  cluster::Client& client() const {
    if (remote) return *remote;
    return *store;
  }
};

net::Task<void> end_at_once(net::Signals& signals) {
  const int number = co_await signals.next();
  if (number != 0) _exit(1);
}

// Serves signals until one of them ends the program's work.
net::Task<void> wait_for_end(net::Loop& loop, net::Signals& signals, gateway::Gateway& gateway) {
  while (true) {
    const int number = co_await signals.next();
    if (number != SIGHUP) break;
    gateway.reopen_logs();
  }
  loop.stop();
}

Source read_files(const Options& options, const Clock& clock) {
  Source source;
  source.store = std::make_unique<cluster::Store>(
      clock, Random::from_system(), cluster::StoreOptions{.history_max = 10'000, .make_namespaces = true});
  cluster::FileOptions watching;
  watching.on_report = [](const cluster::FileReport& report) {
    for (const std::string& error : report.errors) std::cerr << "error: " << error << std::endl;
  };
  const std::vector<std::filesystem::path> paths(options.paths.begin(), options.paths.end());
  source.files = std::make_unique<cluster::FileSource>(*source.store, clock, paths, watching);
  // The files first: a gateway that starts on an empty store would serve for a moment what half of them say.
  watching.on_report(source.files->sync_once());
  return source;
}

Result<Source> reach_server(const Options& options, const Clock& clock) {
  const auto access = options.in_cluster ? remote::in_cluster() : remote::read_kubeconfig(options.kubeconfig);
  if (!access) return tl::unexpected(access.error());
  auto api = remote::Api::make(*access, clock, Random::from_system());
  if (!api) return tl::unexpected(api.error());
  Source source;
  source.api = *std::move(api);
  source.remote = std::make_unique<remote::RemoteClient>(*source.api);
  return source;
}

int run(const Options& options) {
  if (options.reference) {
    std::cout << gateway::reference();
    return 0;
  }
  const bool remote = options.in_cluster || !options.kubeconfig.empty();
  if (options.paths.empty() && !remote) {
    std::cerr
        << "tidegate gateway: name the manifests to serve with -f FILE or -f FOLDER, or an API server with "
           "--kubeconfig FILE or --in-cluster\n";
    return 2;
  }
  net::Loop loop;
  net::Signals signals(loop, {SIGINT, SIGTERM, SIGHUP});
  const SystemClock clock;
  auto source = remote ? reach_server(options, clock) : Result<Source>(read_files(options, clock));
  if (!source) {
    std::cerr << "tidegate gateway: " << describe(source.error()) << '\n';
    return 1;
  }
  gateway::Gateway gateway(source->client(), options.config, clock, [](const gateway::Notice& notice) {
    std::cerr << (notice.ok ? "" : "error: ") << notice.text << std::endl;
  });
  gateway.set_handover(options.handover);
  if (const Result<void> started = gateway.start(); !started) {
    std::cerr << "tidegate gateway: " << describe(started.error()) << '\n';
    return 1;
  }
  std::cerr << "statistics on http://" << gateway.stats_address().text() << "/stats/prometheus" << std::endl;
  std::jthread reader([&](const std::stop_token& stop) {
    if (source->files) source->files->run(stop);
  });
  net::TaskGroup tasks;
  tasks.spawn(wait_for_end(loop, signals, gateway));
  loop.run();
  std::cerr << "draining; a second signal ends it at once" << std::endl;
  tasks.spawn(end_at_once(signals));
  std::thread drainer([&] {
    reader.request_stop();
    reader.join();
    gateway.drain();
    loop.post([&] {
      signals.cancel();
      loop.stop();
    });
  });
  loop.run();
  drainer.join();
  return 0;
}

}  // namespace

void add_gateway(Command app, int& status) {
  Command verb = app.add_subcommand("gateway", "Serves the routes, pools and models of manifests");
  auto options = std::make_shared<Options>();
  verb.add_option("-f,--filename", options->paths,
                  "File or folder of manifests, watched for changes; may be repeated");
  const Flag kubeconfig = verb.add_option("--kubeconfig", options->kubeconfig,
                                          "Reads from this file's current API server instead of manifests");
  verb.add_flag("--in-cluster", options->in_cluster,
                "Reads from the API server of the cluster this pod runs in")
      .excludes(kubeconfig);
  verb.add_option(
          "--handover", options->handover,
          "Unix socket by which the next gateway takes over without losing a connection; the one that "
          "serves it now is taken over")
      .type_name("PATH");
  verb.add_flag("--config-reference", options->reference,
                "Prints every setting with its default, as Markdown");
  add_gateway_settings(verb, options->config);
  verb.callback([options, &status] { status = run(*options); });
}

void add_gateway_settings(Command verb, gateway::Config& config) {
  for (const gateway::Field& field : gateway::fields()) {
    verb.add_setting(
            std::string(field.flag),
            [&field, &config](const std::string& text) {
              const Result<void> set = field.set(config, text);
              return set ? std::string() : describe(set.error());
            },
            std::string(field.help))
        .type_name(std::string(field.unit))
        .default_str(field.show(config))
        .group("Settings");
  }
}

}  // namespace tidegate::cli
