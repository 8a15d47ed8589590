// One thread's event loop: sockets, timers, and work posted by other threads.
//
// Readiness comes from epoll, edge-triggered, one registration per descriptor for its whole life. What
// happens in one round, in order: posted work, timers that are due, resumed coroutines, then descriptor
// events.
//
// A round goes in three steps, for as many as 64 descriptors at a time: all that has come is received, then
// delivered to the coroutines that wait for it, then what these want to send goes to the kernel together
// (received, send_later). Each step's code, ours or the kernel's, stays in the processor's cache; and a
// reader on another core is woken by the first bytes and finds the rest before it sleeps again. Either is
// worth a twentieth of a relayed request.
//
// Why not Asio, which the design proposed: measured on the relay of a 1 KB request, Asio costs about 1.1
// times a bare epoll loop (see ARCHITECTURE.md), its header adds five seconds to every file that includes it,
// and nothing of it but the reactor was needed.
//
// Thread: run() makes the calling thread the loop's own. Only post() and stop() may be called from others.

#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace tidegate::net {

class Timer;

// Something with a descriptor in the loop. Events arrive on the loop's thread.
class Pollable {
 public:
  virtual ~Pollable() = default;
  virtual void on_events(std::uint32_t epoll_events) = 0;

  // After Loop::received(): gives what has been received to whom it is for.
  virtual void deliver() {}

  // After Loop::send_later(): gives the kernel what waits to be sent. True if sent() shall follow, which it
  // does when all the others of this round have sent too.
  virtual bool send() { return false; }
  virtual void sent() {}
};

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs until stop(). May be run again.
  void run();
  void stop();

  // Runs `work` on the loop's thread in its next round.
  void post(std::function<void()> work);

  // When the current round began. Cheap: read it as often as you like.
  TimePoint now() const { return now_; }

  // Resumes a coroutine in this round, after what is running now.
  void resume_later(std::coroutine_handle<> handle) { ready_.push_back(handle); }

  // Has the pollable send with all others of this round, at its end or a little earlier if they are many.
  void send_later(Pollable* pollable) { senders_.push_back(pollable); }

  // From on_events(): something was read, and the pollable shall deliver() it when the others of this round
  // have read too.
  void received(Pollable* pollable) { receivers_.push_back(pollable); }

  // Takes ownership of `fd`'s registration, not of the descriptor. Edge-triggered for `epoll_events`.
  void add(int fd, std::uint32_t epoll_events, Pollable* pollable);

  // Ends a registration of a descriptor that stays open.
  void remove(int fd);

  // Destroys the object after this round, when no event can still name it. Closing its descriptor (which also
  // ends the registration) is the object's own affair and may come earlier.
  void retire(std::unique_ptr<Pollable> pollable);

 private:
  friend class Timer;
  struct Scheduled {
    TimePoint deadline;
    Timer* timer;
  };

  void run_events();
  void run_receivers();
  void run_ready();
  void run_senders();
  void run_posted();
  void run_timers();
  int wait(void* events, int events_max);
  void schedule(Timer* timer, TimePoint deadline);
  void unschedule(Timer* timer);
  void sift_up(std::size_t index);
  void sift_down(std::size_t index);
  void place(std::size_t index, Scheduled entry);

  int epoll_fd_;
  int wake_fd_;
  bool stopped_ = false;
  TimePoint now_;
  std::vector<std::coroutine_handle<>> ready_;
  std::vector<std::coroutine_handle<>> running_;
  std::vector<Pollable*> receivers_;
  std::vector<Pollable*> senders_;
  std::vector<Pollable*> sending_;
  std::vector<std::unique_ptr<Pollable>> retired_;
  std::vector<Scheduled> heap_;  // earliest first

  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;
  std::atomic<bool> has_posted_{false};  // so that a round without posts takes no lock
};

// Calls back once at a time. Moving an armed timer later costs nothing: it stays where it is in the heap and
// is put back when its old time comes. That is what a connection does with its deadline on every request.
//
// Thread: the loop's own.
class Timer {
 public:
  Timer(Loop& loop, std::function<void()> on_due) : loop_(loop), on_due_(std::move(on_due)) {}
  ~Timer() { disarm(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void arm(TimePoint deadline);
  void disarm();
  bool armed() const { return deadline_ != TimePoint::max(); }
  TimePoint deadline() const { return deadline_; }

 private:
  friend class Loop;
  static constexpr std::size_t kNowhere = ~std::size_t{0};

  Loop& loop_;
  std::function<void()> on_due_;
  TimePoint deadline_ = TimePoint::max();
  std::size_t index_ = kNowhere;  // place in the loop's heap
};

inline void Timer::arm(TimePoint deadline) {
  deadline_ = deadline;
  // Later than its place in the heap says, or for ever: it is looked at again when its old time comes.
  if (deadline == TimePoint::max()) return;
  if (index_ != kNowhere && deadline >= loop_.heap_[index_].deadline) return;
  loop_.schedule(this, deadline);
}

// A wait that can be ended early.
//
//   const bool rang = co_await alarm.until(when);   // false after cancel()
class Alarm {
 public:
  explicit Alarm(Loop& loop) : loop_(loop), timer_(loop, [this] { ring(true); }) {}

  auto until(TimePoint when) {
    struct Awaiter {
      Alarm& alarm;
      TimePoint when;
      bool await_ready() const noexcept { return alarm.cancelled_; }
      void await_suspend(std::coroutine_handle<> handle) const {
        alarm.waiter_ = handle;
        alarm.timer_.arm(when);
      }
      bool await_resume() const noexcept { return !alarm.cancelled_; }
    };
    return Awaiter{*this, when};
  }
  auto after(Duration duration) { return until(loop_.now() + duration); }

  // Ends the current wait and every later one.
  void cancel() {
    cancelled_ = true;
    ring(false);
  }
  // Ends the current wait as if its time had come.
  void ring_now() { ring(true); }

 private:
  void ring(bool) {
    timer_.disarm();
    if (waiter_) loop_.resume_later(std::exchange(waiter_, nullptr));
  }

  Loop& loop_;
  Timer timer_;
  std::coroutine_handle<> waiter_;
  bool cancelled_ = false;
};

// Readiness of a descriptor that is not a socket: signalfd, pidfd, inotify, a pipe. Does not own the
// descriptor, which must be non-blocking and outlive the watch. After each readable(), read until EAGAIN:
// only what is new is announced.
class FdWatch {
 public:
  FdWatch(Loop& loop, int fd);
  ~FdWatch();
  FdWatch(const FdWatch&) = delete;
  FdWatch& operator=(const FdWatch&) = delete;

  // Resumes when the descriptor may be read (or was closed by the other side); false after cancel().
  auto readable() {
    struct Awaiter {
      FdWatch& watch;
      bool await_ready() const noexcept { return watch.cancelled_ || watch.ready(); }
      void await_suspend(std::coroutine_handle<> handle) const { watch.park(handle); }
      bool await_resume() const noexcept { return !watch.cancelled_; }
    };
    return Awaiter{*this};
  }
  void cancel();

 private:
  struct State;
  bool ready();
  void park(std::coroutine_handle<> handle);

  Loop& loop_;
  int fd_;
  State* state_;
  std::unique_ptr<Pollable> owned_;
  bool cancelled_ = false;
};

}  // namespace tidegate::net
