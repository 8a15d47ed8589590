// The embedded home's kubelet, for its own node and for every modelled machine of a NodePool (node_keeper.h
// says which those are): keeps the nodes' standing, watches the pods bound to them and runs them as child
// processes.
//
// It sees nothing but the client port, so it serves the embedded home and a real API server alike.
//
// Thread: start() and stop() from one thread, once each. The machine has two threads of its own: an event
// loop, which also is the parent of all processes, and a worker for what may block. `notify` is called on the
// loop's thread.

#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cluster/client.h"
#include "cluster/kubelet.h"
#include "machine/image.h"
#include "machine/log_file.h"

namespace tidegate::machine {

struct MachineOptions {
  std::string node = "home";
  std::filesystem::path data_dir;  // logs, volumes and shims live here
  std::filesystem::path program;   // this program: what runs as the engine
  EngineMode engine = EngineMode::kSimulate;
  std::vector<std::string> image_rules;  // see image.h
  std::string pod_range = "127.64.0.0/10";
  std::string node_range = "127.63.0.0/16";   // addresses of hosted nodes other than the home
  std::map<std::string, std::string> claims;  // PersistentVolumeClaim -> folder
  std::map<std::string, std::string> paths;   // where paths of the images are here: "/model" -> folder
  std::string cpu;                            // quantities the node offers; empty: what this machine has
  std::string memory;
  int gpus = 16;  // modelled: nvidia.com/gpu
  int pods_max = 250;
  std::map<std::string, std::string> labels;  // on top of the usual ones
  Duration heartbeat = std::chrono::seconds(10);
  Duration usage_window = std::chrono::seconds(5);
  LogLimits logs;
};

// For the terminal: one line about one pod or node.
struct Notice {
  enum class Kind { kInfo, kReady, kProblem };
  Kind kind = Kind::kInfo;
  cluster::Key pod;
  std::string text;
  std::string node{};  // if it is about a node
};

class Machine {
 public:
  // `client` and `clock` must outlive the machine.
  Machine(cluster::Client& client, MachineOptions options, const Clock& clock,
          std::function<void(Notice)> notify);
  ~Machine();

  // Ends what an earlier run left behind, registers the node and begins to run pods.
  // Errors: kInvalid for options that cannot be used; kInternal if the data folder cannot be written; those
  // of the client.
  Result<void> start();

  // Ends all pods at the same time, each within its own grace period but at most `grace`, and waits for them.
  // The pods' objects stay, so that a later start runs them again.
  void stop(Duration grace);
  // While stop() waits on another thread: kills what is left.
  void kill();

  // Logs and usage for the API server; valid while this machine lives.
  cluster::Kubelet kubelet() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidegate::machine
