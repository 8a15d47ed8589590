// Carries one pod: performs what its Lifecycle orders (processes, signals, probes, logs) and reports what
// happens back to it and to the cluster.
//
// Thread: the machine's loop. What may block (ConfigMaps, volumes, status writes, /proc) runs on the worker
// and comes back as posted work. Coroutines and posted work hold the runner, so it outlives them.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "machine/lifecycle.h"
#include "machine/log_file.h"
#include "machine/pod_status.h"
#include "machine/prober.h"
#include "machine/surroundings.h"
#include "machine/usage.h"
#include "machine/volumes.h"

namespace tidegate::machine {

// Where a pod's logs and volumes are.
std::filesystem::path pod_folder(const std::filesystem::path& data_dir, const cluster::Key& pod,
                                 const std::string& uid);

class PodRunner : public std::enable_shared_from_this<PodRunner> {
 public:
  PodRunner(Surroundings& around, resource::ObjectPtr object, PodPlan plan, PodPlace place);
  ~PodRunner();

  // Begins; says what each image runs as.
  void start();
  // The object has changed: only deletion and the base for status matter.
  void update(resource::ObjectPtr object);
  // The home closes: ends the processes, leaves the object.
  void close(Duration grace);
  // Whether what happens reaches the cluster. While it does not, the pod runs on and nothing is reported.
  void set_link(bool up);
  // Kills at once whatever is left.
  void kill();

  const std::string& pod_ip() const { return place_.pod_ip; }
  const std::string& node() const { return place_.node; }
  const std::string& uid() const { return life_.plan().uid; }
  const cluster::Key& key() const { return life_.plan().key; }
  // Deleted or closed, and no process is left.
  bool gone() const { return life_.gone(); }
  bool ready() const { return life_.ready(); }
  // Its containers that have a process now.
  std::vector<UsageTarget> running() const;

 private:
  struct Running;  // one process and its pipes
  using RunningPtr = std::shared_ptr<Running>;
  struct Prepared;

  void step();
  void perform(const Order& order);
  void prepare_start(std::size_t container, int run);
  void launch(std::size_t container, int run, Result<Prepared> prepared);
  void check_listeners(std::size_t container, int run);
  void report();
  void say(Notice::Kind kind, std::string text) const;
  // An Event about one container, in the kubelet's words.
  void tell(bool warning, std::size_t container, const char* reason, std::string message) const;
  void tell_stop(std::size_t container);
  void tell_probe(std::size_t container, ProbeRole role, const ProbeResult& result) const;
  void tell_changes();

  net::Task<void> pump(RunningPtr running, bool error_stream);
  net::Task<void> wait_exit(std::shared_ptr<PodRunner> self, std::size_t container, int run,
                            RunningPtr running);
  net::Task<void> probe(std::shared_ptr<PodRunner> self, std::size_t container, ProbeRole role, int run,
                        ProbePlan plan);
  net::Task<void> pre_stop(std::shared_ptr<PodRunner> self, std::size_t container, int run);
  net::Task<ProbeResult> check(std::size_t container, ProbePlan plan);
  net::Task<ProbeResult> run_to_end(Command command, Duration timeout);

  Now now() const;
  std::filesystem::path pod_dir() const;

  Surroundings& around_;
  resource::ObjectPtr object_;
  Lifecycle life_;
  PodPlace place_;
  WallTime started_;
  net::Timer timer_;
  std::vector<RunningPtr> running_;               // by container; null where nothing runs
  std::vector<std::optional<Command>> commands_;  // of the latest start, for exec probes and hooks
  std::vector<Finding> findings_;
  std::shared_ptr<const resource::Json> reported_;  // the status written last
  bool removed_through_api_ = false;
  bool closed_ = false;
  bool link_up_ = true;
  bool was_ready_ = false;
  std::vector<std::string> told_waiting_;  // by container: the last waiting reason that was printed
};

}  // namespace tidegate::machine
