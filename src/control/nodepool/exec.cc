#include "control/nodepool/exec.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

extern char** environ;

namespace tidegate::nodepool {
namespace {

constexpr std::size_t kErrorMax = 4096;  // of standard error, its end

struct Pipe {
  int read = -1;
  int write = -1;
  bool open() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    read = ends[0];
    write = ends[1];
    return true;
  }
  static void shut(int& end) {
    if (end >= 0) ::close(end);
    end = -1;
  }
  ~Pipe() {
    shut(read);
    shut(write);
  }
};

// Its own process group, so that what it has started ends with it.
pid_t start(const std::vector<std::string>& command, const std::string& argument, Pipe& in, Pipe& err) {
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, in.read, STDIN_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, err.write, STDERR_FILENO);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  const int failed = posix_spawnp(&pid, words[0], &actions, &attributes, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  errno = failed;
  return failed == 0 ? pid : -1;
}

// Writes the input and reads standard error until it closes or time is up. False in the latter case.
bool converse(Pipe& in, Pipe& err, std::string_view input, std::string& said, TimePoint deadline) {
  fcntl(in.write, F_SETFL, O_NONBLOCK);
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SystemClock().now()).count();
    if (left <= 0) return false;
    if (input.empty()) Pipe::shut(in.write);
    std::array<pollfd, 2> ends = {pollfd{err.read, POLLIN, 0}, pollfd{in.write, POLLOUT, 0}};
    if (poll(ends.data(), in.write < 0 ? 1 : 2, static_cast<int>(std::min<long long>(left, 1000))) < 0 && errno != EINTR)
      return false;
    if (in.write >= 0 && ends[1].revents != 0) {
      const ssize_t sent = write(in.write, input.data(), input.size());
      if (sent > 0) input.remove_prefix(static_cast<std::size_t>(sent));
      if (sent < 0 && errno != EAGAIN) input = {};  // it does not listen
    }
    if (ends[0].revents != 0) {
      std::array<char, 1024> buffer;
      const ssize_t size = read(err.read, buffer.data(), buffer.size());
      if (size <= 0) return true;
      said.append(buffer.data(), static_cast<std::size_t>(size));
      if (said.size() > kErrorMax) said.erase(0, said.size() - kErrorMax);
    }
  }
}

// Its end, waited for until the deadline; then it is killed.
int end_of(pid_t pid, TimePoint deadline, bool& late) {
  int status = 0;
  while (!late) {
    if (waitpid(pid, &status, WNOHANG) == pid) return status;
    if (SystemClock().now() >= deadline) late = true;
    poll(nullptr, 0, 10);
  }
  kill(-pid, SIGKILL);
  waitpid(pid, &status, 0);
  return status;
}

std::string last_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  const std::size_t line = text.rfind('\n');
  return line == std::string::npos ? text : text.substr(line + 1);
}

}  // namespace

ExecAnswer run_program(const std::vector<std::string>& command, const std::string& argument,
                       const std::string& input, Duration timeout) {
  Pipe in;
  Pipe err;
  if (command.empty() || !in.open() || !err.open()) return {true, false, "no pipe for the program"};
  // Writing to a program that has ended must not end us.
  sigset_t pipe_signal;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_signal, nullptr);
  const TimePoint deadline = SystemClock().now() + timeout;
  const pid_t pid = start(command, argument, in, err);
  if (pid < 0) return {true, false, "cannot start " + command[0] + ": " + std::strerror(errno)};
  Pipe::shut(in.read);
  Pipe::shut(err.write);
  std::string said;
  bool late = !converse(in, err, input, said, deadline);
  const int status = end_of(pid, deadline, late);
  if (late) {
    return {true, false,
            command[0] + " did not end within " +
                std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count()) + " ms"};
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {true, true, {}};
  const std::string how = WIFEXITED(status) ? "status " + std::to_string(WEXITSTATUS(status))
                                            : "signal " + std::to_string(WTERMSIG(status));
  const std::string why = last_line(said);
  return {true, false, command[0] + " ended with " + how + (why.empty() ? "" : ": " + why)};
}

Exec::~Exec() {
  for (auto& [key, thread] : threads_) {
    if (thread.joinable()) thread.join();  // bounded by exec.timeout
  }
}

void Exec::ask(const std::string& call, const std::string& machine, const std::vector<std::string>& command,
               const std::string& input, Duration timeout) {
  const std::string key = call + "/" + machine;
  {
    const std::lock_guard held(mutex_);
    const auto before = answers_.find(key);
    if (before != answers_.end() && (!before->second.done || before->second.ok)) return;
    const auto running = std::count_if(answers_.begin(), answers_.end(),
                                       [](const auto& answer) { return !answer.second.done; });
    if (static_cast<std::size_t>(running) >= kCallsMax) return;
    answers_[key] = {};
  }
  // The old thread of a failed call has ended; assigning joins it.
  threads_[key] = std::jthread([this, key, call, command, input, timeout] {
    ExecAnswer answer = run_program(command, call, input, timeout);
    const std::lock_guard held(mutex_);
    answers_[key] = std::move(answer);
  });
}

std::map<std::string, ExecAnswer> Exec::answers() const {
  const std::lock_guard held(mutex_);
  return answers_;
}

bool Exec::busy() const {
  const std::lock_guard held(mutex_);
  return std::any_of(answers_.begin(), answers_.end(), [](const auto& answer) { return !answer.second.done; });
}

void Exec::forget(const std::function<bool(const std::string& machine)>& keep) {
  const std::lock_guard held(mutex_);
  std::erase_if(answers_, [&](const auto& answer) {
    const bool known = keep(answer.first.substr(answer.first.find('/') + 1));
    if (known || !answer.second.done) return false;
    threads_.erase(answer.first);
    return true;
  });
}

}  // namespace tidegate::nodepool
