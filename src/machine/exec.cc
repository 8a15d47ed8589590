#include "machine/exec.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <vector>

#include "machine/process.h"

namespace tidegate::machine {
namespace {

// A descriptor that is closed where it is let go.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    reset();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  void reset() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

struct Ends {
  Fd ours;
  Fd theirs;
};

// A pipe towards the command, or from it.
bool make_pipe(Ends& ends, bool towards) {
  std::array<int, 2> fds{};
  if (pipe2(fds.data(), O_CLOEXEC) != 0) return false;
  ends.ours = Fd(fds[towards ? 1 : 0]);
  ends.theirs = Fd(fds[towards ? 0 : 1]);
  return true;
}

bool make_terminal(Ends& ends) {
  ends.ours = Fd(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (ends.ours.get() < 0 || grantpt(ends.ours.get()) != 0 || unlockpt(ends.ours.get()) != 0) return false;
  std::array<char, 128> name{};
  if (ptsname_r(ends.ours.get(), name.data(), name.size()) != 0) return false;
  ends.theirs = Fd(open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  return ends.theirs.get() >= 0;
}

void make_non_blocking(int fd) {
  if (fd >= 0) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

// The environment that a process was started with.
std::vector<std::string> environment_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/environ", std::ios::binary);
  std::vector<std::string> variables;
  for (std::string variable; std::getline(file, variable, '\0');) variables.push_back(variable);
  return variables;
}

std::string value_in(const std::vector<std::string>& variables, const std::string& name) {
  for (const std::string& variable : variables) {
    if (variable.starts_with(name + "=")) return variable.substr(name.size() + 1);
  }
  return {};
}

struct Start {
  const char* program;
  char* const* argv;
  char* const* environment;
  const char* directory;
  int in, out, err;
  bool terminal;
  pid_t parent;
};

[[noreturn]] void become(const Start& start) {
  setsid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != start.parent) _exit(127);  // the parent ended before the line above
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = open("/dev/null", O_RDWR);
  dup2(start.in >= 0 ? start.in : null, STDIN_FILENO);
  dup2(start.out >= 0 ? start.out : null, STDOUT_FILENO);
  dup2(start.err >= 0 ? start.err : null, STDERR_FILENO);
  if (start.terminal) ioctl(STDIN_FILENO, TIOCSCTTY, 0);
  syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */);
  if (chdir(start.directory) == 0) execve(start.program, start.argv, start.environment);
  _exit(errno == ENOENT ? 127 : 126);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

class Running final : public cluster::Execution {
 public:
  Running(pid_t pid, Ends in, Ends out, Ends err, bool terminal)
      : pid_(pid),
        in_(std::move(in.ours)),
        out_(std::move(out.ours)),
        err_(std::move(err.ours)),
        terminal_(terminal),
        pidfd_(static_cast<int>(syscall(SYS_pidfd_open, pid, O_NONBLOCK))) {
    for (const int fd : {in_.get(), out_.get(), err_.get()}) make_non_blocking(fd);
  }
  ~Running() override {
    if (!status_) (void)collect();
  }

  int in() const override { return terminal_ ? out_.get() : in_.get(); }
  int out() const override { return out_.get(); }
  int err() const override { return err_.get(); }
  int ended() const override { return pidfd_.get(); }
  void close_in() override {
    constexpr char kEndOfInput = 4;
    if (terminal_) (void)!write(out_.get(), &kEndOfInput, 1);
    in_.reset();
  }
  void resize(int columns, int rows) override {
    winsize size{};
    size.ws_col = static_cast<unsigned short>(columns);
    size.ws_row = static_cast<unsigned short>(rows);
    if (terminal_) ioctl(out_.get(), TIOCSWINSZ, &size);
  }
  bool has_ended() override {
    if (status_) return true;
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == pid_;
  }
  int collect() override {
    if (status_) return *status_;
    ::kill(-pid_, SIGKILL);  // while the leader is not collected its number is not given away
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    constexpr int kSignalled = 128;
    status_ = WIFSIGNALED(status) ? kSignalled + WTERMSIG(status) : WEXITSTATUS(status);
    return *status_;
  }

 private:
  pid_t pid_;
  Fd in_, out_, err_;
  bool terminal_;
  Fd pidfd_;
  std::optional<int> status_;
};

}  // namespace

Result<std::shared_ptr<cluster::Execution>> execute(pid_t beside, const cluster::ExecOptions& options) {
  if (options.command.empty()) return fail(Code::kInvalid, "has no command to run");
  std::vector<std::string> variables = environment_of(beside);
  if (variables.empty()) return fail(Code::kNotFound, "the container does not run any more");
  if (options.terminal && value_in(variables, "TERM").empty()) variables.emplace_back("TERM=xterm");
  const std::string program = find_program(options.command.front(), value_in(variables, "PATH"));
  if (program.empty()) {
    return fail(Code::kNotFound, "exec: \"" + options.command.front().substr(0, 200) +
                                     "\": executable file not found in $PATH");
  }
  Ends in;
  Ends out;
  Ends err;
  const bool made = options.terminal ? make_terminal(out)
                                     : (!options.in || make_pipe(in, true)) && make_pipe(out, false) &&
                                           make_pipe(err, false);
  if (!made)
    return fail(Code::kExhausted, std::string("no descriptors for the command: ") + std::strerror(errno));
  std::vector<std::string> arguments = options.command;
  const auto argv = pointers(arguments);
  const auto environment = pointers(variables);
  const std::string directory = "/proc/" + std::to_string(beside) + "/cwd";
  const int terminal = out.theirs.get();
  const Start start{program.c_str(),
                    argv.data(),
                    environment.data(),
                    directory.c_str(),
                    options.terminal ? terminal : in.theirs.get(),
                    out.theirs.get(),
                    options.terminal ? terminal : err.theirs.get(),
                    options.terminal,
                    getpid()};
  const pid_t pid = fork();
  if (pid == 0) become(start);
  if (pid < 0) return fail(Code::kExhausted, std::string("cannot fork: ") + std::strerror(errno));
  return std::make_shared<Running>(pid, std::move(in), std::move(out), std::move(err), options.terminal);
}

}  // namespace tidegate::machine
