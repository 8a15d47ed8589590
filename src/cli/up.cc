// tidegate up: the embedded home in one process. Objects from files, controllers, pods as child processes,
// the gateway.

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"
#include "cli/engine_choice.h"
#include "cli/home.h"
#include "cli/verbs.h"
#include "machine/launch.h"
#include "machine/ports.h"
#include "net/loop.h"
#include "net/signals.h"

namespace tidegate::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kUsage = 2;
constexpr int kInterrupted = 130;
constexpr Duration kLook = std::chrono::milliseconds(20);
constexpr Duration kTellAgain = std::chrono::seconds(2);  // between progress lines

struct UpOptions {
  std::vector<std::string> files;
  std::string data = "tidegate-data";
  std::string engine;  // empty: choose_engine() decides
  std::vector<std::string> images;
  std::vector<std::string> claims;
  std::vector<std::string> paths;
  std::vector<std::string> storage;
  serving::Settings serving;
  std::string ready_file;
  std::string api_bind = "127.0.0.1";
  int api_port = 6443;
  bool api_port_given = false;
  machine::MachineOptions machine;
  gateway::Config gateway;
};

// Lines for people: what it is about in a column of its own, problems marked, colours only on a terminal.
class Terminal {
 public:
  Terminal() : colours_(isatty(STDOUT_FILENO) != 0) {}

  void print(const Line& line) const {
    const char* mark = line.tone == Line::Tone::kBad ? "!" : line.tone == Line::Tone::kGood ? "+" : " ";
    const char* colour = line.tone == Line::Tone::kBad    ? "\033[31m"
                         : line.tone == Line::Tone::kGood ? "\033[32m"
                                                          : "";
    const std::string text = std::string(mark) + " " + line.about + ": " + line.text;
    if (colours_ && *colour != 0) {
      std::cout << colour << text << "\033[0m" << std::endl;
    } else {
      std::cout << text << std::endl;
    }
  }

 private:
  bool colours_;
};

fs::path ready_file(const UpOptions& options) {
  return options.ready_file.empty() ? fs::path(options.data) / "ready" : fs::path(options.ready_file);
}

// "NAME=VALUE" pairs of a repeated flag.
Result<std::map<std::string, std::string>> pairs(const char* flag, const std::vector<std::string>& texts) {
  std::map<std::string, std::string> result;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == text.size()) {
      return invalid(flag, "'" + text + "' is not NAME=DIR");
    }
    std::error_code error;
    const fs::path folder = fs::absolute(text.substr(equals + 1), error);
    if (!fs::exists(folder, error))
      return invalid(flag, "names " + folder.string() + ", which does not exist");
    result[text.substr(0, equals)] = folder.string();
  }
  return result;
}

struct UpPlan {
  HomeOptions home;
  std::string engine;  // what was chosen and why, for people
};

Result<UpPlan> plan_of(const UpOptions& up) {
  HomeOptions options;
  options.data_dir = up.data;
  options.ready_file = ready_file(up);
  for (const std::string& file : up.files) options.files.emplace_back(file);
  options.machine = up.machine;
  options.gateway = up.gateway;
  options.api = {{}, up.api_bind, up.api_port, up.api_port_given};
  options.machine.data_dir = up.data;
  options.machine.image_rules = up.images;
  std::error_code error;
  options.machine.program = fs::read_symlink("/proc/self/exe", error);
  if (error)
    return fail(Code::kInternal, "cannot find this program through /proc/self/exe: " + error.message());
  auto claims = pairs("--claim", up.claims);
  if (!claims) return tl::unexpected(claims.error());
  options.machine.claims = *std::move(claims);
  auto paths = pairs("--path", up.paths);
  if (!paths) return tl::unexpected(paths.error());
  options.machine.paths = *std::move(paths);
  auto storage = pairs("--storage", up.storage);
  if (!storage) return tl::unexpected(storage.error());
  options.serving = up.serving;
  options.serving.storage = *std::move(storage);
  if (auto good = serving::check(options.serving); !good) return tl::unexpected(good.error());
  auto choice = choose_engine(up.engine, options.machine.paths);
  if (!choice) return tl::unexpected(choice.error());
  options.machine.engine = choice->mode;
  return UpPlan{std::move(options), std::move(choice->why)};
}

// Tells how far the home is, from the main thread: the way to the first complete state, and every later loss
// of it.
class Watcher {
 public:
  Watcher(const UpOptions& options, Home& home, const Terminal& terminal, net::Loop& loop)
      : options_(options),
        home_(home),
        terminal_(terminal),
        loop_(loop),
        timer_(loop, [this] { look(); }),
        began_(std::chrono::steady_clock::now()) {}

  // Bursts of changes cost one look.
  void look_soon() {
    if (!timer_.armed()) timer_.arm(loop_.now() + kLook);
  }
  void stop() { timer_.disarm(); }

 private:
  void look() {
    const Progress progress = home_.progress();
    if (!progress.files_read) return;
    const TimePoint now = std::chrono::steady_clock::now();
    const bool changed = progress.gateways_ready != told_.gateways_ready ||
                         progress.pods_ready != told_.pods_ready || progress.pods_wanted != told_.pods_wanted;
    if (progress.complete()) {
      if (!summed_up_) {
        sum_up(progress, now);
      } else if (changed) {
        terminal_.print({Line::Tone::kGood, "pods ready", of(progress)});
      }
      told_ = progress;
      return;
    }
    if (!changed) return;
    if (now - told_at_ < kTellAgain) {  // a line per pod would say no more
      timer_.arm(loop_.now() + kTellAgain);
      return;
    }
    terminal_.print({Line::Tone::kPlain, "pods ready", of(progress)});
    told_ = progress;
    told_at_ = now;
  }

  static std::string of(const Progress& progress) {
    return std::to_string(progress.pods_ready) + "/" + std::to_string(progress.pods_wanted);
  }

  void sum_up(const Progress& progress, TimePoint now) {
    summed_up_ = true;
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(now - began_).count();
    terminal_.print(
        {Line::Tone::kGood, "home", "pods ready " + of(progress) + " after " + std::to_string(took) + " ms"});
    std::ofstream ready(ready_file(options_).string() + ".new", std::ios::trunc);
    for (const std::string& address : home_.addresses()) {
      terminal_.print({Line::Tone::kGood, "gateway", address + "/v1/chat/completions"});
      ready << address << '\n';
    }
    ready.close();
    terminal_.print({Line::Tone::kGood, "metrics", home_.stats_address() + "/stats/prometheus"});
    std::error_code unknown;
    const std::string kubeconfig = fs::absolute(home_.kubeconfig(), unknown).string();
    terminal_.print({Line::Tone::kGood, "api",
                     home_.api_address() + "; export KUBECONFIG=" + kubeconfig + ", then kubectl get pods"});
    std::error_code error;
    fs::rename(ready_file(options_).string() + ".new", ready_file(options_), error);
    if (!ready || error) {
      terminal_.print({Line::Tone::kBad, "home", "cannot write " + ready_file(options_).string()});
    }
  }

  const UpOptions& options_;
  Home& home_;
  const Terminal& terminal_;
  net::Loop& loop_;
  net::Timer timer_;
  const TimePoint began_;
  bool summed_up_ = false;
  Progress told_;
  TimePoint told_at_{};
};

net::Task<void> wait_for_end(net::Loop& loop, net::Signals& signals, Home& home) {
  while (true) {
    const int number = co_await signals.next();
    if (number != SIGHUP) break;
    home.reopen_logs();
  }
  loop.stop();
}

// During the orderly end: the next signal makes it a quick one.
net::Task<void> kill_at_signal(net::Signals& signals, Home& home, const Terminal& terminal) {
  const int number = co_await signals.next();
  if (number == 0) co_return;
  terminal.print({Line::Tone::kBad, "home", "ending everything at once"});
  home.kill();
  _exit(kInterrupted);
}

// The loop ends when nothing is left to wait for.
net::Task<void> stop_when_empty(net::TaskGroup& tasks, net::Loop& loop) {
  co_await tasks.wait_empty();
  loop.stop();
}

void remove_ready_file(const UpOptions& options) {
  std::error_code ignored;
  fs::remove(ready_file(options), ignored);
}

// The usual port for Ingresses with TLS, unless something else has it, or we may not.
std::uint16_t ingress_tls_port(const std::vector<std::string>& bind) {
  constexpr std::uint16_t kUsual = 443;
  constexpr std::uint16_t kOther = 8443;
  const bool taken = std::ranges::any_of(bind, [](const std::string& address) {
    return address.find(':') == std::string::npos && machine::port_conflict(address, kUsual).has_value();
  });
  return taken ? kOther : kUsual;
}

// As an ingress controller has it, unless something else does, or we may not.
std::uint16_t ingress_port(const std::vector<std::string>& bind) {
  constexpr std::uint16_t kUsual = 80;
  constexpr std::uint16_t kOther = 8081;
  for (const std::string& address : bind) {
    if (address.find(':') != std::string::npos) continue;  // pods are reached over IPv4 only
    const auto taken = machine::port_conflict(address, kUsual);
    if (!taken) continue;
    std::cout << "  ingress: served on port " << kOther << ", not " << kUsual << ": " << *taken << std::endl;
    return kOther;
  }
  return kUsual;
}

int run_up(const UpOptions& options) {
  const auto plan = plan_of(options);
  if (!plan) {
    std::cerr << "tidegate up: " << describe(plan.error()) << '\n';
    return kUsage;
  }
  const Terminal terminal;
  terminal.print({Line::Tone::kPlain, "engine", plan->engine});
  const SystemClock clock;
  net::Loop loop;
  // Before any thread starts, so that signals come here and nowhere else.
  net::Signals signals(loop, {SIGINT, SIGTERM, SIGHUP});
  signal(SIGPIPE, SIG_IGN);
  std::unique_ptr<Watcher> watcher;
  Home home(
      plan->home, clock, [&terminal](const Line& line) { terminal.print(line); },
      [&loop, &watcher] { loop.post([&watcher] { watcher->look_soon(); }); });
  watcher = std::make_unique<Watcher>(options, home, terminal, loop);
  if (auto started = home.start(); !started) {
    std::cerr << "tidegate up: " << describe(started.error()) << '\n';
    return 1;
  }
  if (options.files.empty()) terminal.print({Line::Tone::kPlain, "objects", "none given; use -f PATH"});
  net::TaskGroup tasks;
  tasks.spawn(wait_for_end(loop, signals, home));
  loop.run();

  watcher->stop();
  remove_ready_file(options);
  terminal.print({Line::Tone::kPlain, "home", "finishing requests, then ending pods (again to end at once)"});
  std::thread ending([&] {
    home.stop();
    loop.post([&signals] { signals.cancel(); });
  });
  tasks.spawn(kill_at_signal(signals, home, terminal));
  net::TaskGroup last;
  last.spawn(stop_when_empty(tasks, loop));
  loop.run();
  ending.join();
  watcher->stop();
  return 0;
}

}  // namespace

void add_up(Command app, int& status) {
  Command verb = app.add_subcommand(
      "up", "Run the embedded home: objects from files, pods as processes of this machine, the gateway");
  auto options = std::make_shared<UpOptions>();
  verb.add_option("-f,--filename", options->files, "Manifest file or directory; applied when it changes")
      .existing_path();
  verb.add_option("--data", options->data, "Folder for the objects (tidegate.db), logs and volumes")
      .capture_default_str();
  verb.add_option("--api-port", options->api_port, "Port of the API server; 0 takes a free one")
      .between(0, 65535)
      .capture_default_str();
  verb.add_option("--api-bind", options->api_bind, "Address of the API server").capture_default_str();
  verb.add_option(
      "--engine", options->engine,
      "What answers for vLLM images: simulate, cpu or vllm; default: cpu where a --path leads to a model, "
      "else simulate");
  verb.add_option("--gpus", options->machine.gpus, "GPUs the home's node offers (modelled)")
      .between(0, 100'000)
      .capture_default_str();
  verb.add_option("--cpu", options->machine.cpu, "CPUs the node offers; default: this machine's");
  verb.add_option("--memory", options->machine.memory,
                  "Memory the node offers, as 64Gi; default: this machine's");
  verb.add_option("--image", options->images,
                  "How an image runs: PATTERN=engine, PATTERN=host or PATTERN=skip");
  verb.add_option("--claim", options->claims, "Folder behind a PersistentVolumeClaim: NAME=DIR");
  verb.add_option("--path", options->paths,
                  "Where a path of the engines' images is on this machine: /model=DIR");
  verb.add_option("--storage", options->storage,
                  "Folder behind a storageUri of InferenceServices: hf://Qwen/Qwen2.5-0.5B=DIR");
  verb.add_option("--domain-template", options->serving.domain_template, "Hosts of InferenceServices")
      .capture_default_str();
  verb.add_option("--ingress-domain", options->serving.ingress_domain, "The domain in that template")
      .capture_default_str();
  verb.add_option("--pod-range", options->machine.pod_range, "Loopback addresses for pods")
      .capture_default_str();
  verb.add_option("--gateway-workers", options->gateway.workers, "The same as --workers");
  verb.add_option("--ready-file", options->ready_file,
                  "Written when all pods are ready, removed at the end; default: ready in the data folder");
  add_gateway_settings(verb, options->gateway);
  verb.callback([verb, options, &status] {
    options->api_port_given = verb.count("--api-port") > 0;
    if (verb.count("--bind") == 0) options->gateway.bind = host_addresses();
    if (verb.count("--ingress-port") == 0)
      options->gateway.ingress_port = ingress_port(options->gateway.bind);
    if (verb.count("--ingress-tls-port") == 0)
      options->gateway.ingress_tls_port = ingress_tls_port(options->gateway.bind);
    status = run_up(*options);
  });
}

}  // namespace tidegate::cli
