#include "net/signals.h"

#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/check.h"

namespace tidegate::net {
namespace {

int open_signals(std::initializer_list<int> numbers) {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : numbers) sigaddset(&set, number);
  TG_CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  const int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  TG_CHECK(fd >= 0);
  return fd;
}

}  // namespace

Signals::Signals(Loop& loop, std::initializer_list<int> numbers)
    : fd_(open_signals(numbers)), watch_(loop, fd_) {}

Signals::~Signals() { close(fd_); }

Task<int> Signals::next() {
  while (true) {
    signalfd_siginfo info{};
    if (read(fd_, &info, sizeof info) == sizeof info) co_return static_cast<int>(info.ssi_signo);
    if (!co_await watch_.readable()) co_return 0;
  }
}

}  // namespace tidegate::net
