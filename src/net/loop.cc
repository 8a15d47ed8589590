#include "net/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <utility>

#include "base/check.h"

namespace tidegate::net {
namespace {

constexpr int kEventsPerRound = 256;
// More than these do not wait for each other: the first should not be late because of the last.
constexpr std::size_t kTogether = 64;
constexpr Duration kLongestWait = std::chrono::minutes(1);

}  // namespace

Loop::Loop()
    : epoll_fd_(epoll_create1(EPOLL_CLOEXEC)),
      wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      now_(std::chrono::steady_clock::now()) {
  TG_CHECK(epoll_fd_ >= 0 && wake_fd_ >= 0);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = nullptr;  // the wake-up itself is all it says
  TG_CHECK(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, wake_fd_, &event) == 0);
}

Loop::~Loop() {
  close(wake_fd_);
  close(epoll_fd_);
}

void Loop::add(int fd, std::uint32_t epoll_events, Pollable* pollable) {
  epoll_event event{};
  event.events = epoll_events | EPOLLET;
  event.data.ptr = pollable;
  TG_CHECK(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0);
}

void Loop::remove(int fd) { epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr); }

void Loop::retire(std::unique_ptr<Pollable> pollable) { retired_.push_back(std::move(pollable)); }

void Loop::post(std::function<void()> work) {
  {
    const std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(work));
    has_posted_.store(true, std::memory_order_release);
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof one);
}

void Loop::stop() {
  post([this] { stopped_ = true; });
}

void Loop::run() {
  stopped_ = false;
  while (true) {
    now_ = std::chrono::steady_clock::now();
    run_posted();
    run_timers();
    run_ready();
    run_senders();
    retired_.clear();  // nobody who is named by an event or wants to send is among them
    if (stopped_) break;
    run_events();
    run_senders();
  }
}

void Loop::run_events() {
  std::array<epoll_event, kEventsPerRound> events;
  const int count = wait(events.data(), kEventsPerRound);
  now_ = std::chrono::steady_clock::now();
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (auto* pollable = static_cast<Pollable*>(event.data.ptr)) {
      pollable->on_events(event.events);
      if (receivers_.size() >= kTogether) run_receivers();
      if (senders_.size() >= kTogether) run_senders();
    } else {
      std::uint64_t times = 0;
      [[maybe_unused]] const ssize_t got = read(wake_fd_, &times, sizeof times);
    }
  }
  run_receivers();
}

// Nobody who has received something can be destroyed before the round ends, and nobody receives meanwhile.
void Loop::run_receivers() {
  for (Pollable* pollable : receivers_) pollable->deliver();
  receivers_.clear();
}

void Loop::run_ready() {
  // What becomes ready meanwhile waits for the next round, so that a pair of coroutines that wake each other
  // cannot keep the sockets waiting.
  running_.swap(ready_);
  for (const std::coroutine_handle<> handle : running_) handle.resume();
  running_.clear();
}

// Two passes, so that nothing comes between one sending and the next.
void Loop::run_senders() {
  while (!senders_.empty()) {
    sending_.swap(senders_);
    std::size_t done = 0;
    for (Pollable* pollable : sending_) {
      if (pollable->send()) sending_[done++] = pollable;
    }
    for (std::size_t i = 0; i < done; ++i) sending_[i]->sent();
    sending_.clear();
  }
}

void Loop::run_posted() {
  if (!has_posted_.load(std::memory_order_acquire)) return;
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard lock(posted_mutex_);
    work.swap(posted_);
    has_posted_.store(false, std::memory_order_relaxed);
  }
  for (const auto& item : work) item();
}

int Loop::wait(void* events, int events_max) {
  auto* list = static_cast<epoll_event*>(events);
  if (!ready_.empty()) return epoll_wait(epoll_fd_, list, events_max, 0);
  if (heap_.empty()) return epoll_wait(epoll_fd_, list, events_max, -1);
  const Duration left = std::clamp<Duration>(heap_.front().deadline - std::chrono::steady_clock::now(),
                                             Duration::zero(), kLongestWait);
  timespec timeout{};
  timeout.tv_sec = left.count() / 1'000'000'000;
  timeout.tv_nsec = left.count() % 1'000'000'000;
  const int count = epoll_pwait2(epoll_fd_, list, events_max, &timeout, nullptr);
  if (count >= 0 || errno != ENOSYS) return count;
  // Linux before 5.11 waits in milliseconds. Rounded up: waking a moment early would only spin.
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return epoll_wait(epoll_fd_, list, events_max, static_cast<int>(ms));
}

void Loop::run_timers() {
  while (!heap_.empty() && heap_.front().deadline <= now_) {
    Timer* timer = heap_.front().timer;
    if (timer->deadline_ > now_) {  // was moved later
      place(0, {timer->deadline_, timer});
      sift_down(0);
      continue;
    }
    unschedule(timer);
    timer->deadline_ = TimePoint::max();
    timer->on_due_();
  }
}

void Loop::place(std::size_t index, Scheduled entry) {
  heap_[index] = entry;
  entry.timer->index_ = index;
}

void Loop::sift_up(std::size_t index) {
  const Scheduled entry = heap_[index];
  while (index > 0) {
    const std::size_t parent = (index - 1) / 2;
    if (heap_[parent].deadline <= entry.deadline) break;
    place(index, heap_[parent]);
    index = parent;
  }
  place(index, entry);
}

void Loop::sift_down(std::size_t index) {
  const Scheduled entry = heap_[index];
  while (true) {
    std::size_t child = index * 2 + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1].deadline < heap_[child].deadline) ++child;
    if (entry.deadline <= heap_[child].deadline) break;
    place(index, heap_[child]);
    index = child;
  }
  place(index, entry);
}

void Loop::schedule(Timer* timer, TimePoint deadline) {
  if (timer->index_ == Timer::kNowhere) {
    heap_.push_back({deadline, timer});
    timer->index_ = heap_.size() - 1;
    sift_up(heap_.size() - 1);
  } else if (deadline < heap_[timer->index_].deadline) {
    heap_[timer->index_].deadline = deadline;
    sift_up(timer->index_);
  }
}

void Loop::unschedule(Timer* timer) {
  const std::size_t index = timer->index_;
  if (index == Timer::kNowhere) return;
  timer->index_ = Timer::kNowhere;
  const Scheduled last = heap_.back();
  heap_.pop_back();
  if (last.timer == timer) return;
  place(index, last);
  sift_up(index);
  sift_down(last.timer->index_);
}

void Timer::disarm() {
  deadline_ = TimePoint::max();
  loop_.unschedule(this);
}

struct FdWatch::State final : Pollable {
  bool ready = true;  // edge-triggered: what came before the registration is not announced again
  std::coroutine_handle<> waiter;
  void on_events(std::uint32_t) override {
    ready = true;
    if (waiter) {
      ready = false;
      std::exchange(waiter, nullptr).resume();
    }
  }
};

FdWatch::FdWatch(Loop& loop, int fd) : loop_(loop), fd_(fd) {
  auto state = std::make_unique<State>();
  state_ = state.get();
  owned_ = std::move(state);
  loop_.add(fd, EPOLLIN, state_);
}

FdWatch::~FdWatch() {
  loop_.remove(fd_);
  loop_.retire(std::move(owned_));
}

bool FdWatch::ready() { return std::exchange(state_->ready, false); }

void FdWatch::park(std::coroutine_handle<> handle) { state_->waiter = handle; }

void FdWatch::cancel() {
  cancelled_ = true;
  if (state_->waiter) loop_.resume_later(std::exchange(state_->waiter, nullptr));
}

}  // namespace tidegate::net
