#include "machine/usage.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

namespace tidegate::machine {
namespace {

namespace fs = std::filesystem;

// Fields of /proc/[pid]/stat, counted as in proc(5).
constexpr int kGroupField = 5;
constexpr int kFirstTimeField = 14;  // utime, stime, cutime, cstime
constexpr int kLastTimeField = 17;
constexpr int kResidentField = 24;

bool is_number(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool same_process(const UsageTarget& a, const UsageTarget& b) {
  return a.group == b.group && a.started == b.started && a.pod == b.pod && a.container == b.container;
}

}  // namespace

std::optional<ProcessStat> read_process_stat(std::string_view text) {
  // The second field is the program's name in parentheses and may hold anything, so count from its end.
  const std::size_t end = text.rfind(')');
  if (end == std::string_view::npos) return std::nullopt;
  std::istringstream fields{std::string(text.substr(end + 1))};
  ProcessStat stat;
  std::string field;
  for (int number = 3; number <= kResidentField; ++number) {
    if (!(fields >> field)) return std::nullopt;
    std::int64_t value = 0;
    std::from_chars(field.data(), field.data() + field.size(), value);
    const auto amount = static_cast<std::uint64_t>(std::max<std::int64_t>(value, 0));
    if (number == kGroupField) stat.group = static_cast<pid_t>(value);
    if (number >= kFirstTimeField && number <= kLastTimeField) stat.cpu_ticks += amount;
    if (number == kResidentField) stat.resident_pages = amount;
  }
  return stat;
}

std::map<pid_t, GroupSample> sample_groups() {
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGE_SIZE));
  std::map<pid_t, GroupSample> groups;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    if (!is_number(entry.path().filename().string())) continue;
    std::ifstream file(entry.path() / "stat");
    std::string line;
    if (!std::getline(file, line)) continue;
    const auto stat = read_process_stat(line);
    if (!stat) continue;
    GroupSample& group = groups[stat->group];
    group.cpu_seconds += static_cast<double>(stat->cpu_ticks) / ticks;
    group.memory_bytes += stat->resident_pages * page;
  }
  return groups;
}

void UsageBook::take(const std::vector<UsageTarget>& targets, const std::map<pid_t, GroupSample>& groups,
                     WallTime now) {
  const std::lock_guard lock(mutex_);
  std::vector<Entry> entries;
  for (const UsageTarget& target : targets) {
    const auto group = groups.find(target.group);
    if (group == groups.end()) continue;
    Entry entry{target, group->second, now, std::nullopt};
    const auto before = std::find_if(entries_.begin(), entries_.end(),
                                     [&](const Entry& each) { return same_process(each.target, target); });
    if (before != entries_.end() && now > before->since) {
      const double used = std::max(0.0, entry.last.cpu_seconds - before->last.cpu_seconds);
      entry.usage = cluster::Usage{used / seconds(now - before->since), entry.last.memory_bytes};
    }
    entries.push_back(std::move(entry));
  }
  entries_ = std::move(entries);
  window_ = taken_at_ == WallTime{} ? Duration::zero() : now - taken_at_;
  taken_at_ = now;
}

std::vector<cluster::PodUsage> UsageBook::pods() const {
  const std::lock_guard lock(mutex_);
  std::map<cluster::Key, cluster::PodUsage> pods;
  for (const Entry& entry : entries_) {
    if (!entry.usage) continue;
    cluster::PodUsage& pod = pods[entry.target.pod];
    pod.pod = entry.target.pod;
    pod.node = entry.target.node;
    pod.taken_at = taken_at_;
    pod.window = window_;
    pod.containers.push_back({entry.target.container, *entry.usage});
  }
  std::vector<cluster::PodUsage> result;
  for (auto& [key, pod] : pods) result.push_back(std::move(pod));
  return result;
}

std::vector<cluster::NodeUsage> UsageBook::nodes() const {
  const std::lock_guard lock(mutex_);
  std::vector<cluster::NodeUsage> result;
  if (window_ == Duration::zero()) return result;
  for (const std::string& name : nodes_) {
    cluster::NodeUsage node{name, taken_at_, window_, {}};
    for (const Entry& entry : entries_) {
      if (!entry.usage || entry.target.node != name) continue;
      node.usage.cpu_cores += entry.usage->cpu_cores;
      node.usage.memory_bytes += entry.usage->memory_bytes;
    }
    result.push_back(std::move(node));
  }
  return result;
}

void UsageBook::set_nodes(std::vector<std::string> nodes) {
  const std::lock_guard lock(mutex_);
  nodes_ = std::move(nodes);
}

}  // namespace tidegate::machine
