// The embedded home put together: an object store, the controllers, one machine that runs pods, manifests
// from files, and the gateway.
//
// What it says is meant for the terminal: one line per event that a person would want to know of, never a
// line per request. `say` may be called from several threads, one call at a time.
//
// Thread: start() and stop() from one thread; progress() and addresses() from any, once started.

#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cli/api_server.h"
#include "control/serving/settings.h"
#include "gateway/config.h"
#include "machine/machine.h"

namespace tidegate::cli {

struct HomeOptions {
  std::filesystem::path data_dir;
  std::filesystem::path ready_file;  // an earlier run may have left it: removed once the folder is ours; empty: none
  std::vector<std::filesystem::path> files;
  machine::MachineOptions machine;
  gateway::Config gateway;
  ApiPlace api;  // its data_dir is ours
  serving::Settings serving;
};

struct Line {
  enum class Tone { kPlain, kGood, kBad };
  Tone tone = Tone::kPlain;
  std::string about;  // "objects", "pod default/x", "gateway"
  std::string text;
};

// How far the home is from what its objects ask for.
struct Progress {
  bool files_read = false;
  int pods_wanted = 0;  // replicas of Deployments, and pods of their own
  int pods_ready = 0;
  int gateways_wanted = 0;  // Gateway objects
  int gateways_ready = 0;   // whose listeners are bound
  bool complete() const {
    return files_read && pods_ready >= pods_wanted && gateways_ready >= gateways_wanted;
  }
};

class Home {
 public:
  // `changed` is called, from any thread and often, when progress() may give something else.
  Home(
      HomeOptions options, const Clock& clock, std::function<void(const Line&)> say,
      std::function<void()> changed = [] {});
  ~Home();

  // Errors: kConflict if another home uses the data folder; those of its parts.
  Result<void> start();

  Progress progress() const;
  // Ports of the Gateways' servers, for the summary: "http://localhost:8080".
  std::vector<std::string> addresses() const;
  // "http://127.0.0.1:15090".
  std::string stats_address() const;
  // "https://127.0.0.1:6443", and the file that tells kubectl how to get there.
  std::string api_address() const;
  std::filesystem::path kubeconfig() const;

  void reopen_logs();

  // Lets requests finish, then ends pods, bounded; blocks.
  void stop();
  // While stop() waits on another thread: ends pods at once.
  void kill();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// This host's IPv4 addresses, loopback first. A Gateway at home is bound to each of them and never to the
// wildcard, which would answer on the pods' addresses too.
std::vector<std::string> host_addresses();

}  // namespace tidegate::cli
