#include "cluster/file_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace tidegate::cluster {

FileWatch::FileWatch()
    : inotify_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)), wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

FileWatch::~FileWatch() {
  if (inotify_ >= 0) close(inotify_);
  if (wake_ >= 0) close(wake_);
}

bool FileWatch::arm(const std::set<std::filesystem::path>& directories) {
  if (inotify_ < 0) return false;
  constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
                                    IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
  bool all = true;
  for (const auto& directory : directories) {
    // Adding a directory that is watched already changes nothing.
    if (inotify_add_watch(inotify_, directory.c_str(), kEvents | IN_ONLYDIR) < 0) all = false;
  }
  return all;
}

void FileWatch::drain() {
  alignas(inotify_event) std::array<char, 4096> buffer;
  while (inotify_ >= 0 && read(inotify_, buffer.data(), buffer.size()) > 0) {
  }
}

bool FileWatch::wait_once(Duration timeout) {
  std::array<pollfd, 2> fds = {{{wake_, POLLIN, 0}, {inotify_, POLLIN, 0}}};
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(std::max(timeout, Duration::zero())).count();
  poll(fds.data(), inotify_ >= 0 ? 2 : 1, static_cast<int>(std::min<std::int64_t>(ms, 60'000)));
  return (fds[1].revents & POLLIN) != 0;
}

void FileWatch::wait(Duration timeout, Duration settle, const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = write(wake_, &one, sizeof one);
  });
  if (stop.stop_requested() || !wait_once(timeout)) return;
  // An editor changes a file in several steps.
  for (int round = 0; round < 10 && !stop.stop_requested(); ++round) {
    drain();
    if (!wait_once(settle)) return;
  }
  drain();
}

}  // namespace tidegate::cluster
