#include "machine/sweep.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <optional>
#include <set>
#include <string>
#include <system_error>

namespace tidegate::machine {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPidFile = "pid";
constexpr int kWaitMs = 2000;
constexpr std::size_t kEnvironMax = 1 << 20;

std::optional<pid_t> to_pid(const std::string& name) {
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
  if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return pid;
}

bool carries(pid_t pid, const std::string& variable) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/environ", std::ios::binary);
  std::string environment(kEnvironMax, '\0');
  file.read(environment.data(), static_cast<std::streamsize>(environment.size()));
  environment.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  std::size_t at = 0;
  while (at < environment.size()) {
    const std::size_t end = std::min(environment.find('\0', at), environment.size());
    if (environment.compare(at, end - at, variable) == 0) return true;
    at = end + 1;
  }
  return false;
}

std::set<pid_t> marked_processes(const fs::path& data_dir) {
  const std::string variable = std::string(kHomeVariable) + "=" + data_dir.string();
  std::set<pid_t> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const auto pid = to_pid(entry.path().filename().string());
    // This program itself may have been started from inside a pod of its own.
    if (pid && *pid != getpid() && *pid != getppid() && carries(*pid, variable)) found.insert(*pid);
  }
  return found;
}

// Group leaders from pid files whose process is still the one that was started.
std::set<pid_t> filed_leaders(const fs::path& data_dir) {
  std::set<pid_t> found;
  std::error_code ignored;
  for (const auto& pod : fs::directory_iterator(data_dir / "pods", ignored)) {
    std::error_code ignored_too;
    for (const auto& container : fs::directory_iterator(pod.path(), ignored_too)) {
      std::ifstream file(container.path() / kPidFile);
      pid_t pid = 0;
      std::uint64_t started = 0;
      if (file >> pid >> started && pid > 1 && started != 0 && start_time_of(pid) == started)
        found.insert(pid);
      fs::remove(container.path() / kPidFile, ignored_too);
    }
  }
  return found;
}

}  // namespace

void write_pid_file(const fs::path& folder, const Child& child) {
  std::ofstream file(folder / kPidFile, std::ios::trunc);
  file << child.pid << ' ' << child.started << '\n';
}

void remove_pid_file(const fs::path& folder) {
  std::error_code ignored;
  fs::remove(folder / kPidFile, ignored);
}

bool has_pid_file(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / kPidFile, ignored);
}

std::size_t sweep_leftovers(const fs::path& data_dir) {
  const std::set<pid_t> leaders = filed_leaders(data_dir);
  std::set<pid_t> all = marked_processes(data_dir);
  all.insert(leaders.begin(), leaders.end());

  std::vector<pollfd> ending;
  for (const pid_t pid : all) {
    const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    if (pidfd >= 0) ending.push_back({pidfd, POLLIN, 0});
  }
  for (const pid_t pid : leaders) kill(-pid, SIGKILL);
  for (const pid_t pid : all) kill(pid, SIGKILL);
  for (pollfd& one : ending) {
    poll(&one, 1, kWaitMs);
    close(one.fd);
  }
  return all.size();
}

}  // namespace tidegate::machine
