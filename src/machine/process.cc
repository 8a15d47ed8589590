#include "machine/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

namespace tidegate::machine {
namespace {

// Where the child was when it failed, sent up the error pipe with errno.
enum class Stage : int { kDirectory, kExec };
struct Failure {
  Stage stage;
  int error;
};

struct Pipe {
  int read = -1;
  int write = -1;

  static Result<Pipe> make() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
      return fail(Code::kExhausted, std::string("cannot make a pipe: ") + std::strerror(errno));
    }
    return Pipe{ends[0], ends[1]};
  }
  void close_write() {
    if (write >= 0) close(std::exchange(write, -1));
  }
  void close_both() {
    close_write();
    if (read >= 0) close(std::exchange(read, -1));
  }
};

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// After fork() in a process with threads: only async-signal-safe calls until exec.
[[noreturn]] void become(const char* program, char* const* argv, char* const* environment,
                         const char* directory, pid_t parent, int out, int err, int failure_pipe) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // the parent ended before the line above
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = open("/dev/null", O_RDWR);
  dup2(null, STDIN_FILENO);
  dup2(out >= 0 ? out : null, STDOUT_FILENO);
  dup2(err >= 0 ? err : null, STDERR_FILENO);
  syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */);
  Failure failure{Stage::kDirectory, 0};
  if (chdir(directory) == 0) {
    failure.stage = Stage::kExec;
    execve(program, argv, environment);
  }
  failure.error = errno;
  [[maybe_unused]] const ssize_t sent = write(failure_pipe, &failure, sizeof failure);
  _exit(127);
}

Error explain(const Failure& failure, const Command& command) {
  const std::string what = failure.stage == Stage::kDirectory
                               ? "working directory \"" + command.working_dir + "\""
                               : "program \"" + command.argv.front() + "\"";
  const Code code = failure.error == ENOENT || failure.error == ENOTDIR ? Code::kNotFound
                    : failure.error == EACCES                           ? Code::kForbidden
                                                                        : Code::kExhausted;
  return {code, {}, what + ": " + std::strerror(failure.error)};
}

void make_non_blocking(int fd) {
  if (fd >= 0) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

bool is_executable_file(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && access(path.c_str(), X_OK) == 0;
}

}  // namespace

std::string find_program(std::string_view program, std::string_view path) {
  if (program.find('/') != std::string_view::npos) return std::string(program);
  while (!path.empty()) {
    const std::size_t colon = path.find(':');
    const std::string_view folder = path.substr(0, colon);
    std::string candidate = std::string(folder.empty() ? "." : folder) + "/" + std::string(program);
    if (is_executable_file(candidate)) return candidate;
    path.remove_prefix(colon == std::string_view::npos ? path.size() : colon + 1);
  }
  return {};
}

Result<Child> spawn(const Command& command) {
  if (command.argv.empty()) return fail(Code::kInvalid, "has no command to run");
  const auto path = command.environment.find("PATH");
  const std::string program =
      find_program(command.argv.front(), path == command.environment.end() ? "" : path->second);
  if (program.empty()) {
    return fail(Code::kNotFound, "program \"" + command.argv.front() + "\" is not on this machine's PATH");
  }
  std::vector<std::string> arguments = command.argv;
  std::vector<std::string> variables;
  for (const auto& [name, value] : command.environment) variables.push_back(name + "=" + value);
  const auto argv = pointers(arguments);
  const auto environment = pointers(variables);
  const std::string directory = command.working_dir.empty() ? "/" : command.working_dir;

  Result<Pipe> out = command.quiet ? Result<Pipe>(Pipe{}) : Pipe::make();
  if (!out) return tl::unexpected(out.error());
  Result<Pipe> err = command.quiet ? Result<Pipe>(Pipe{}) : Pipe::make();
  if (!err) return out->close_both(), tl::unexpected(err.error());
  auto failed = Pipe::make();
  if (!failed) return out->close_both(), err->close_both(), tl::unexpected(failed.error());

  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    become(program.c_str(), argv.data(), environment.data(), directory.c_str(), parent, out->write,
           err->write, failed->write);
  }
  const int fork_error = errno;
  out->close_write();
  err->close_write();
  failed->close_write();
  Failure failure{};
  ssize_t got = 0;
  if (pid > 0) {
    setpgid(pid, pid);  // the child does it too; whoever comes first
    do got = read(failed->read, &failure, sizeof failure);
    while (got < 0 && errno == EINTR);
  }
  failed->close_both();
  if (pid < 0 || got == sizeof failure) {
    out->close_both();
    err->close_both();
    if (pid < 0) return fail(Code::kExhausted, std::string("cannot fork: ") + std::strerror(fork_error));
    waitpid(pid, nullptr, 0);
    return tl::unexpected(explain(failure, command));
  }
  make_non_blocking(out->read);
  make_non_blocking(err->read);
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, O_NONBLOCK));
  return Child{pid, pidfd, out->read, err->read, start_time_of(pid)};
}

bool has_ended(const Child& child) {
  pollfd wait{child.pidfd, POLLIN, 0};
  return poll(&wait, 1, 0) == 1;
}

bool group_lives_on(const Child& child) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());  // 0 for what is no process
    if (pid <= 0 || pid == child.pid || getpgid(pid) != child.pid) continue;
    std::ifstream file(entry.path() / "stat");
    std::string line;
    if (std::getline(file, line) && line.find(") Z ") == std::string::npos) return true;
  }
  return false;
}

bool was_ended_by(const Child& child, int signal) {
  siginfo_t info{};
  const bool known = waitid(P_PID, static_cast<id_t>(child.pid), &info, WEXITED | WNOWAIT | WNOHANG) == 0;
  return known && info.si_code == CLD_KILLED && info.si_status == signal;
}

ExitStatus collect(const Child& child) {
  // While the leader is a zombie its number is not given away, so the group signal cannot hit strangers.
  signal_group(child, SIGKILL);
  int status = 0;
  while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) return {0, WTERMSIG(status)};
  return {WEXITSTATUS(status), 0};
}

void signal_group(const Child& child, int signal) {
  if (child.pid > 1) kill(-child.pid, signal);
}

std::uint64_t start_time_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return 0;
  // The second field is the program's name in parentheses and may hold anything, so count from its end.
  const std::size_t end = line.rfind(')');
  if (end == std::string::npos) return 0;
  std::istringstream fields(line.substr(end + 1));
  std::string field;
  for (int number = 3; number <= 22; ++number) {
    if (!(fields >> field)) return 0;
  }
  return std::strtoull(field.c_str(), nullptr, 10);
}

}  // namespace tidegate::machine
