// The user's program that starts and ends real machines, for pools with provider `exec`.
//
// It is called with one argument, "create" or "delete", and JSON on its standard input:
//
//   {"action": "create", "pool": "gpu", "machine": "gpu-3", "labels": {...}, "taints": [...], "capacity": {...}}
//
// Status 0 says done; a Node of the machine's name must then join (create) or stay away (delete). Any other
// status, or running longer than exec.timeout, is a failure, and the last line it wrote to standard error is
// the reason that people read. It may be called again for the same machine and must then do no harm.
//
// Thread: ask() and answers() from one thread; programs run on threads of their own, at most kCallsMax at a time.

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "control/nodepool/pool.h"

namespace tidegate::nodepool {

// Runs one program to its end, bounded. Blocks.
ExecAnswer run_program(const std::vector<std::string>& command, const std::string& argument,
                       const std::string& input, Duration timeout);

class Exec {
 public:
  static constexpr std::size_t kCallsMax = 8;

  Exec() = default;
  ~Exec();
  Exec(const Exec&) = delete;
  Exec& operator=(const Exec&) = delete;

  // Starts the call unless it runs. A call that failed is made again.
  void ask(const std::string& call, const std::string& machine, const std::vector<std::string>& command,
           const std::string& input, Duration timeout);

  // By "create/<machine>" and "delete/<machine>".
  std::map<std::string, ExecAnswer> answers() const;
  bool busy() const;
  // Forgets what was answered about machines that `keep` does not know.
  void forget(const std::function<bool(const std::string& machine)>& keep);

 private:
  mutable std::mutex mutex_;
  std::map<std::string, ExecAnswer> answers_;   // guarded by mutex_
  std::map<std::string, std::jthread> threads_;  // of ask()'s thread only
};

}  // namespace tidegate::nodepool
