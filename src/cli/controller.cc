// tidegate controller: the control loops alone, over a Kubernetes API server.

#include "control/loop/controller.h"

#include <signal.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/random.h"
#include "cli/server.h"
#include "cli/verbs.h"
#include "control/node/controllers.h"
#include "control/nodepool/controllers.h"
#include "control/placement/controllers.h"
#include "control/workload/controllers.h"
#include "net/loop.h"
#include "net/signals.h"

namespace tidegate::cli {
namespace {

struct Options {
  ServerFlags server;
  std::vector<std::string> loops = {"placement", "nodepool"};
  std::vector<std::string> scheduler_names = {std::string(placement::kOwnName)};
};

std::vector<loop::Controller> controllers_of(const std::string& name, const Options& options) {
  if (name == "placement") return placement::controllers({.names = options.scheduler_names});
  if (name == "nodepool") return nodepool::controllers();
  if (name == "node") return node::controllers();
  return workload::controllers(Random::from_system());
}

net::Task<void> stop_at_signal(net::Loop& loop, net::Signals& signals) {
  (void)co_await signals.next();
  loop.stop();
}

int run_controller(const Options& options) {
  net::Loop loop;
  net::Signals signals(loop, {SIGINT, SIGTERM});
  const auto server = Server::reach(options.server, Fallback::kInCluster);
  if (!server) return report("controller", server.error());
  // A wrong address or token is told now, not in the loops' logs.
  if (const auto version = (*server)->fetch("/version"); !version)
    return report("controller", version.error());
  loop::Runtime runtime((*server)->client(), (*server)->clock());
  std::string names;
  for (const std::string& name : options.loops) {
    for (loop::Controller& controller : controllers_of(name, options)) runtime.add(std::move(controller));
    names += (names.empty() ? "" : ", ") + name;
  }
  runtime.start();
  std::cerr << names << " over " << (*server)->api().access().title << std::endl;
  net::TaskGroup tasks;
  tasks.spawn(stop_at_signal(loop, signals));
  loop.run();
  (*server)->api().stop();
  runtime.stop();
  return 0;
}

}  // namespace

void add_controller(CLI::App& app, int& status) {
  CLI::App* verb = app.add_subcommand("controller", "Runs the control loops over a Kubernetes API server");
  auto options = std::make_shared<Options>();
  verb->add_option("--kubeconfig", options->server.kubeconfig,
                   "How to reach the API server; else $KUBECONFIG, else the cluster this pod runs in")
      ->type_name("FILE");
  verb->add_option("--context", options->server.context, "Which of the kubeconfig's contexts");
  verb->add_option("--controllers", options->loops,
                   "Which loops: placement, nodepool, node, workload. The last two are the work of "
                   "kube-controller-manager wherever that runs")
      ->delimiter(',')
      ->check(CLI::IsMember({"placement", "nodepool", "node", "workload"}))
      ->capture_default_str();
  verb->add_option("--scheduler-name", options->scheduler_names,
                   "Values of a pod's spec.schedulerName that are placed here")
      ->delimiter(',')
      ->capture_default_str();
  verb->callback([options, &status] { status = run_controller(*options); });
}

}  // namespace tidegate::cli
