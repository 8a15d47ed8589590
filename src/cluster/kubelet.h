// What the API server needs of whoever runs the pods: container logs and usage. Plain values and functions,
// so that the server never sees the machine, and the machine never sees the server; cli/ joins them.
//
//   Result<LogReader> log = kubelet.open_log(*pod, {.follow = true, .tail_lines = 10});
//   for (LogPart part = (*log)(); !part.ended; part = (*log)()) send(part.text) or, if it is empty, wait a
//   little;
//
// Thread: every function may be called from any thread; one LogReader belongs to one caller at a time. They
// read files and memory, never the network, and return at once. Source: Kubernetes core/v1 PodLogOptions;
// metrics.k8s.io/v1beta1.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cluster/client.h"

namespace tidegate::cluster {

struct LogOptions {
  std::string
      container{};  // empty: the only one, or the one that kubectl.kubernetes.io/default-container names
  bool follow = false;
  bool previous = false;                       // of the run before the present one
  bool timestamps = false;                     // each line begins with its time, RFC 3339 with nanoseconds
  std::optional<std::int64_t> tail_lines{};    // counted before limit_bytes
  std::optional<std::uint64_t> limit_bytes{};  // of output
  std::optional<WallTime> since{};
};

struct LogPart {
  std::string text;    // at most some 64 KiB; ends at the end of a line unless limit_bytes cut it
  bool ended = false;  // nothing will follow; `text` may still hold the last of it
};

// Gives the next part. With `follow`, an empty part that has not ended means: nothing new yet, ask again in
// some 100 ms. Without, it ends where the log ends.
using LogReader = std::function<LogPart()>;

struct Usage {
  double cpu_cores = 0;  // mean over `window`
  std::uint64_t memory_bytes = 0;
};

struct ContainerUsage {
  std::string name;
  Usage usage;
};

struct PodUsage {
  Key pod;
  std::string node;
  WallTime taken_at{};  // end of the window
  Duration window{};
  std::vector<ContainerUsage> containers;  // those that ran through the whole window
};

struct NodeUsage {
  std::string node;
  WallTime taken_at{};
  Duration window{};
  Usage usage;  // of all its pods
};

struct ExecOptions {
  std::string container{};  // as in LogOptions
  std::vector<std::string> command{};
  bool in = false;        // it has an input
  bool terminal = false;  // all its streams are one terminal
};

// A command that runs beside a container. Its descriptors are non-blocking and its own; -1: there is none. It is
// killed where it is let go.
class Execution {
 public:
  virtual ~Execution() = default;
  virtual int in() const = 0;
  virtual int out() const = 0;
  virtual int err() const = 0;
  virtual int ended() const = 0;  // readable when it has ended
  virtual bool has_ended() = 0;
  virtual void close_in() = 0;
  virtual void resize(int columns, int rows) = 0;
  // Ends what is left of it. Its exit status, or 128 and the signal that ended it.
  virtual int collect() = 0;
};

struct Kubelet {
  // Errors, in the kubelet's words: kInvalid: which container is meant is not clear, there is none of that
  // name, it has not started, or it has no previous run. kNotFound: the log is gone.
  std::function<Result<LogReader>(const resource::Object& pod, const LogOptions& options)> open_log;

  // From a thread that lives as long as the command may. Errors: as open_log; kNotFound: no such program.
  std::function<Result<std::shared_ptr<Execution>>(const resource::Object& pod, const ExecOptions& options)> exec;

  // Pods and nodes that have been watched for a whole window; empty soon after the start.
  std::function<std::vector<PodUsage>()> pod_usage;
  std::function<std::vector<NodeUsage>()> node_usage;
};

}  // namespace tidegate::cluster
