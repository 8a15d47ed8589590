#include "telemetry/access_log.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "telemetry/access_line.h"
#include "telemetry/log_ring.h"

namespace tidegate::telemetry {
namespace {

constexpr std::size_t kBatchBytes = 64 * 1024;
constexpr Duration kIdleWait = std::chrono::seconds(1);

int open_file(const std::string& path) {
  if (path == "/dev/stdout" || path == "-") return ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

// A pipe whose reader sleeps blocks a plain write for as long; so pipes are asked first, and are given no
// more than what a writable pipe takes at once. `give_up` is asked while waiting.
template <typename GiveUp>
bool write_all(int file, std::string_view text, const GiveUp& give_up) {
  struct stat about {};
  const bool may_block = ::fstat(file, &about) == 0 && !S_ISREG(about.st_mode);
  while (!text.empty()) {
    pollfd ready{file, POLLOUT, 0};
    constexpr int kAskEveryMs = 100;
    while (may_block && ::poll(&ready, 1, kAskEveryMs) == 0) {
      if (give_up()) return false;
    }
    const ssize_t done =
        ::write(file, text.data(), may_block ? std::min<std::size_t>(text.size(), PIPE_BUF) : text.size());
    if (done < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (done <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  return true;
}

}  // namespace

struct AccessLog::State {
  State(AccessLogOptions wanted, int opened) : options(std::move(wanted)), file(opened) {
    for (std::size_t i = 0; i < options.shards; ++i) {
      rings.push_back(std::make_unique<LogRing>(options.ring_bytes));
    }
  }

  // Once per round of the writer, from whoever comes first: the lock is short, but nobody should take it per
  // entry.
  void wake() {
    if (woken.load(std::memory_order_relaxed) || woken.exchange(true, std::memory_order_relaxed)) return;
    const std::lock_guard lock(mutex);
    wake_wanted = true;
    wake_up.notify_all();
  }

  void reopen_now() {
    const int fresh = open_file(options.path);
    if (fresh < 0) {
      log::error("telemetry", "access log cannot be reopened; the old file stays in use",
                 {{"path", options.path}, {"error", std::strerror(errno)}});
      return;
    }
    ::close(file);
    file = fresh;
  }

  // Writes what the rings hold; how many entries that was.
  std::uint64_t drain() {
    std::uint64_t total = 0;
    std::uint64_t batched = 0;
    char* end = batch.get();
    const auto write_batch = [&] {
      if (write_all(file, {batch.get(), end}, [this] { return giving_up.load(std::memory_order_relaxed); })) {
        written.fetch_add(batched, std::memory_order_relaxed);
      } else {
        dropped.fetch_add(batched, std::memory_order_relaxed);
      }
      end = batch.get();
      batched = 0;
    };
    for (const auto& ring : rings) {
      for (auto record = ring->front(); !record.empty(); record = ring->front()) {
        end = write_line(end, record.data());
        *end++ = '\n';
        ++batched;
        ++total;
        ring->pop();
        if (end - batch.get() >= static_cast<std::ptrdiff_t>(kBatchBytes)) write_batch();
      }
    }
    if (batched > 0) write_batch();
    return total;
  }

  void run() {
    std::unique_lock lock(mutex);
    while (true) {
      const bool last = stopping;
      const bool reopening = std::exchange(reopen_wanted, false);
      const std::uint64_t asked = rounds_asked;
      wake_wanted = false;
      woken.store(false, std::memory_order_relaxed);
      lock.unlock();
      if (reopening) reopen_now();
      const bool busy = drain() > 0;
      lock.lock();
      rounds_done = asked;
      round_over.notify_all();
      if (last) return;
      // While entries come, look again after the flush interval; once there are none, sleep until the first
      // new one wakes this thread. The bound on that sleep covers a wake that crossed the flag below.
      idle.store(!busy, std::memory_order_seq_cst);
      wake_up.wait_for(lock, busy ? options.flush_interval : kIdleWait, [this] {
        return wake_wanted || stopping || reopen_wanted || rounds_asked != rounds_done;
      });
      idle.store(false, std::memory_order_relaxed);
    }
  }

  const AccessLogOptions options;
  std::vector<std::unique_ptr<LogRing>> rings;
  std::atomic<std::uint64_t> written{0};
  std::atomic<std::uint64_t> dropped{0};
  std::atomic<bool> idle{false};   // the writer has found nothing and rests
  std::atomic<bool> woken{false};  // somebody has called it since its last round

  std::atomic<bool> giving_up{false};  // closing: wait no more for a reader that does not read

  std::mutex mutex;
  std::condition_variable wake_up;
  std::condition_variable round_over;
  bool stopping = false;
  bool wake_wanted = false;
  bool reopen_wanted = false;
  std::uint64_t rounds_asked = 0;
  std::uint64_t rounds_done = 0;

  int file;  // of the writing thread
  std::unique_ptr<char[]> batch = std::make_unique<char[]>(kBatchBytes + kLineBytesMax + 1);  // likewise
  std::thread thread;
};

AccessLog::AccessLog(std::unique_ptr<State> state) : state_(std::move(state)) {
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

Result<std::unique_ptr<AccessLog>> AccessLog::open(AccessLogOptions options) {
  if (options.shards == 0) return invalid("shards", "is 0; use one per writing thread");
  if (options.ring_bytes < 16 * 1024 || options.ring_bytes > 64 * 1024 * 1024) {
    return invalid("ring_bytes", "is " + std::to_string(options.ring_bytes) + "; use 16384 to 67108864");
  }
  if (options.flush_interval <= Duration::zero()) return invalid("flush_interval", "is not above zero");
  const int file = open_file(options.path);
  if (file < 0) {
    return invalid("path", options.path + " cannot be opened for appending: " + std::strerror(errno));
  }
  return std::unique_ptr<AccessLog>(new AccessLog(std::make_unique<State>(std::move(options), file)));
}

AccessLog::~AccessLog() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->giving_up = true;
    state_->wake_up.notify_all();
  }
  state_->thread.join();
  ::close(state_->file);
}

bool AccessLog::record(std::size_t shard, const AccessEntry& entry) {
  TG_CHECK(shard < state_->rings.size());
  LogRing& ring = *state_->rings[shard];
  char* space = ring.reserve(packed_size(entry));
  if (space == nullptr) {
    state_->dropped.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  ring.commit(pack(entry, space));
  if (state_->idle.load(std::memory_order_relaxed) || ring.over_half()) [[unlikely]]
    state_->wake();
  return true;
}

void AccessLog::reopen() {
  const std::lock_guard lock(state_->mutex);
  state_->reopen_wanted = true;
  state_->wake_up.notify_all();
}

void AccessLog::flush() {
  std::unique_lock lock(state_->mutex);
  const std::uint64_t mine = ++state_->rounds_asked;
  state_->wake_up.notify_all();
  state_->round_over.wait(lock, [&] { return state_->rounds_done >= mine; });
}

std::uint64_t AccessLog::written() const { return state_->written.load(std::memory_order_relaxed); }
std::uint64_t AccessLog::dropped() const { return state_->dropped.load(std::memory_order_relaxed); }

}  // namespace tidegate::telemetry
