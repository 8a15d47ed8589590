// tidegate controller: the control loops alone, over a Kubernetes API server.

#include "control/loop/controller.h"

#include <signal.h>

#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/random.h"
#include "cli/remote_usage.h"
#include "cli/server.h"
#include "cli/verbs.h"
#include "control/autoscale/controllers.h"
#include "control/autoscale/sources/sources.h"
#include "control/node/controllers.h"
#include "control/nodepool/controllers.h"
#include "control/placement/controllers.h"
#include "control/serving/controller.h"
#include "control/workload/controllers.h"
#include "net/loop.h"
#include "net/signals.h"

namespace tidegate::cli {
namespace {

struct Options {
  ServerFlags server;
  std::vector<std::string> loops = {"placement", "nodepool"};
  std::vector<std::string> scheduler_names = {std::string(placement::kOwnName)};
  serving::Settings serving;
  sources::Options metrics;
};

std::vector<loop::Controller> controllers_of(const std::string& name, const Options& options) {
  if (name == "placement") return placement::controllers({.names = options.scheduler_names});
  if (name == "nodepool") return nodepool::controllers();
  if (name == "node") return node::controllers();
  if (name == "serving") return serving::controllers(options.serving);
  return workload::controllers(Random::from_system());
}

// HorizontalPodAutoscalers, with what they read; on a runtime of its own, because its rounds come by the
// clock.
class Autoscaling {
 public:
  Autoscaling(Server& server, const sources::Options& options)
      : usage_(server),
        sources_(
            options, [this] { return usage_.latest(); }, server.clock()),
        runtime_(server.client(), server.clock()) {
    autoscale::Metrics metrics;
    metrics.gather = [this](const autoscale::Subject& subject, WallTime now) {
      return sources_.gather(subject, now);
    };
    metrics.forget = [this](const std::string& key) { sources_.forget(key); };
    for (loop::Controller& controller : autoscale::controllers(std::move(metrics), {})) {
      runtime_.add(std::move(controller));
    }
    runtime_.start();
  }
  void stop() { runtime_.stop(); }

 private:
  RemoteUsage usage_;
  sources::Sources sources_;
  loop::Runtime runtime_;
};

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
  std::unique_ptr<Autoscaling> autoscaling;
  for (const std::string& name : options.loops) {
    if (name == "autoscale") {
      if (autoscaling == nullptr) autoscaling = std::make_unique<Autoscaling>(**server, options.metrics);
    } else {
      for (loop::Controller& controller : controllers_of(name, options)) runtime.add(std::move(controller));
    }
    names += (names.empty() ? "" : ", ") + name;
  }
  runtime.start();
  std::cerr << names << " over " << (*server)->api().access().title << std::endl;
  net::TaskGroup tasks;
  tasks.spawn(stop_at_signal(loop, signals));
  loop.run();
  (*server)->api().stop();
  if (autoscaling != nullptr) autoscaling->stop();
  runtime.stop();
  return 0;
}

}  // namespace

void add_controller(Command app, int& status) {
  Command verb = app.add_subcommand("controller", "Runs the control loops over a Kubernetes API server");
  auto options = std::make_shared<Options>();
  verb.add_option("--kubeconfig", options->server.kubeconfig,
                  "How to reach the API server; else $KUBECONFIG, else the cluster this pod runs in")
      .type_name("FILE");
  verb.add_option("--context", options->server.context, "Which of the kubeconfig's contexts");
  verb.add_option(
          "--controllers", options->loops,
          "Which loops: placement, nodepool, serving, node, workload, autoscale. The last three are the work "
          "of kube-controller-manager wherever that runs, and serving is KServe's")
      .delimiter(',')
      .one_of({"placement", "nodepool", "serving", "node", "workload", "autoscale"})
      .capture_default_str();
  verb.add_option("--scheduler-name", options->scheduler_names,
                  "Values of a pod's spec.schedulerName that are placed here")
      .delimiter(',')
      .capture_default_str();
  verb.add_option("--gateway-stats", options->metrics.gateways,
                  "Statistics ports of the gateways, for scaling by demand: 10.0.0.5:15090")
      .delimiter(',');
  verb.add_option("--prometheus", options->metrics.prometheus,
                  "For Object and External metrics: 10.0.0.9:9090");
  verb.add_option("--domain-template", options->serving.domain_template, "Hosts of InferenceServices")
      .capture_default_str();
  verb.add_option("--ingress-domain", options->serving.ingress_domain, "The domain in that template")
      .capture_default_str();
  verb.callback([options, &status] {
    if (const auto good = serving::check(options->serving); !good) {
      report("controller", good.error());
      status = 2;
      return;
    }
    status = run_controller(*options);
  });
}

}  // namespace tidegate::cli
