// What the pods' processes use of this machine: CPU time and resident memory of each container's process
// group.
//
// CPU is a rate between two looks at /proc, so a container is known from the second look on. A process that
// ended in between takes its time with it, unless its parent collected it.
//
// Thread: UsageBook: any. sample_groups() reads /proc and takes milliseconds.
// Source: proc(5), /proc/[pid]/stat; metrics.k8s.io/v1beta1 (window, working set).

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "cluster/kubelet.h"

namespace tidegate::machine {

struct GroupSample {
  double cpu_seconds = 0;  // since the group began
  std::uint64_t memory_bytes = 0;
};

struct ProcessStat {
  pid_t group = 0;
  std::uint64_t cpu_ticks = 0;  // with those of collected children
  std::uint64_t resident_pages = 0;
};
// The text of /proc/[pid]/stat. Empty if it is none.
std::optional<ProcessStat> read_process_stat(std::string_view text);

// Every process group of this machine.
std::map<pid_t, GroupSample> sample_groups();

// A container's running process group.
struct UsageTarget {
  cluster::Key pod;
  std::string node;
  std::string container;
  pid_t group = 0;
  std::uint64_t started = 0;  // with `group` it names a process for good
};

class UsageBook {
 public:
  void take(const std::vector<UsageTarget>& targets, const std::map<pid_t, GroupSample>& groups,
            WallTime now);

  std::vector<cluster::PodUsage> pods() const;
  // `nodes` also lists those without pods.
  std::vector<cluster::NodeUsage> nodes() const;
  // Which nodes there are; a node is known from the second look on.
  void set_nodes(std::vector<std::string> nodes);

 private:
  struct Entry {
    UsageTarget target;
    GroupSample last;
    WallTime since{};
    std::optional<cluster::Usage> usage;
  };

  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
  std::vector<std::string> nodes_;
  WallTime taken_at_{};
  Duration window_{};
};

}  // namespace tidegate::machine
