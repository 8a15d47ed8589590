// tidegate gateway -f PATH...: the gateway alone, in front of engines that run somewhere already.

#include "gateway/gateway.h"

#include <signal.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "cli/verbs.h"
#include "cluster/files.h"
#include "cluster/store/store.h"
#include "net/loop.h"
#include "net/signals.h"

namespace tidegate::cli {
namespace {

struct Options {
  std::vector<std::string> paths;
  gateway::Config config;
  bool reference = false;
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

int run(const Options& options) {
  if (options.reference) {
    std::cout << gateway::reference();
    return 0;
  }
  if (options.paths.empty()) {
    std::cerr << "tidegate gateway: name the manifests to serve with -f FILE or -f FOLDER\n";
    return 2;
  }
  net::Loop loop;
  net::Signals signals(loop, {SIGINT, SIGTERM, SIGHUP});
  const SystemClock clock;
  cluster::Store store(clock, Random::from_system(), {.history_max = 10'000, .make_namespaces = true});
  cluster::FileOptions watching;
  watching.on_report = [](const cluster::FileReport& report) {
    for (const std::string& error : report.errors) std::cerr << "error: " << error << std::endl;
  };
  cluster::FileSource files(store, clock, {options.paths.begin(), options.paths.end()}, watching);
  // The files first: a gateway that starts on an empty store would serve for a moment what half of them say.
  watching.on_report(files.sync_once());
  gateway::Gateway gateway(store, options.config, clock, [](const gateway::Notice& notice) {
    std::cerr << (notice.ok ? "" : "error: ") << notice.text << std::endl;
  });
  if (const Result<void> started = gateway.start(); !started) {
    std::cerr << "tidegate gateway: " << describe(started.error()) << '\n';
    return 1;
  }
  std::cerr << "statistics on http://" << gateway.stats_address().text() << "/stats/prometheus" << std::endl;
  std::jthread reader([&](const std::stop_token& stop) { files.run(stop); });
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

void add_gateway(CLI::App& app, int& status) {
  CLI::App* verb = app.add_subcommand("gateway", "Serves the routes, pools and models of manifests");
  auto options = std::make_shared<Options>();
  verb->add_option("-f,--filename", options->paths,
                   "File or folder of manifests, watched for changes; may be repeated");
  verb->add_flag("--config-reference", options->reference,
                 "Prints every setting with its default, as Markdown");
  add_gateway_settings(*verb, options->config);
  verb->callback([options, &status] { status = run(*options); });
}

void add_gateway_settings(CLI::App& verb, gateway::Config& config) {
  for (const gateway::Field& field : gateway::fields()) {
    verb.add_option_function<std::string>(
            std::string(field.flag),
            [&field, &config](const std::string& text) {
              const Result<void> set = field.set(config, text);
              if (!set) throw CLI::ValidationError(std::string(field.flag), describe(set.error()));
            },
            std::string(field.help))
        ->type_name(std::string(field.unit))
        ->default_str(field.show(config))
        ->group("Settings");
  }
}

}  // namespace tidegate::cli
