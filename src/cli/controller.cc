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
#include "cli/leader.h"
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
  LeaderFlags leader;
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
    const auto read_scale = [&server](const cluster::Reference& target) {
      return server.client().scale(target);
    };
    for (loop::Controller& controller : autoscale::controllers(std::move(metrics), read_scale, {})) {
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

constexpr Duration kLook = std::chrono::milliseconds(50);  // at whether it leads

net::Task<void> stop_at_signal(net::Loop& loop, net::Signals& signals) {
  (void)co_await signals.next();
  loop.stop();
}

// What --controllers names. Does nothing before start().
class Loops {
 public:
  Loops(Server& server, const Options& options)
      : server_(server), options_(options), runtime_(server.client(), server.clock()) {}

  bool running() const { return running_; }

  void start() {
    running_ = true;
    std::string names;
    for (const std::string& name : options_.loops) {
      if (name == "autoscale") {
        if (autoscaling_ == nullptr) autoscaling_ = std::make_unique<Autoscaling>(server_, options_.metrics);
      } else {
        for (loop::Controller& controller : controllers_of(name, options_))
          runtime_.add(std::move(controller));
      }
      names += (names.empty() ? "" : ", ") + name;
    }
    runtime_.start();
    std::cerr << names << " over " << server_.api().access().title << std::endl;
  }

  // Calls under way fail, and none are made any more.
  void stop() {
    server_.api().stop();
    if (autoscaling_ != nullptr) autoscaling_->stop();
    runtime_.stop();
  }

 private:
  Server& server_;
  const Options& options_;
  loop::Runtime runtime_;
  std::unique_ptr<Autoscaling> autoscaling_;
  bool running_ = false;
};

int run_controller(const Options& options) {
  net::Loop loop;
  net::Signals signals(loop, {SIGINT, SIGTERM});
  const auto server = Server::reach(options.server, Fallback::kInCluster);
  if (!server) return report("controller", server.error());
  // A wrong address or token is told now, not in the loops' logs.
  if (const auto version = (*server)->fetch("/version"); !version)
    return report("controller", version.error());
  Loops loops(**server, options);
  auto candidacy = Candidacy::stand(options.leader, options.server);
  if (!candidacy) return report("controller", candidacy.error());
  bool lost = false;
  net::Timer look(loop, [&] {
    const bool leads = (*candidacy)->leads();
    if (leads && !loops.running()) loops.start();
    if (!leads && loops.running()) {
      lost = true;
      signals.cancel();
      return;
    }
    look.arm(loop.now() + kLook);
  });
  look.arm(loop.now());
  net::TaskGroup tasks;
  tasks.spawn(stop_at_signal(loop, signals));
  loop.run();
  loops.stop();
  (*candidacy)->end(lost);
  if (lost)
    std::cerr
        << "tidegate controller: it leads no more and ends, so that it cannot act beside the next leader; "
           "start it again"
        << std::endl;
  return lost ? 1 : 0;
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
  add_leader_flags(verb, options->leader);
  verb.callback([options, &status] {
    if (const auto good = check(options->leader); !good) {
      report("controller", good.error());
      status = 2;
      return;
    }
    if (const auto good = serving::check(options->serving); !good) {
      report("controller", good.error());
      status = 2;
      return;
    }
    status = run_controller(*options);
  });
}

}  // namespace tidegate::cli
