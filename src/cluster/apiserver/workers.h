// Threads for what blocks (durable writes) or takes long (large lists), beside the loop that owns the
// sockets.
//
//   const bool taken = co_await workers.run([&] { answer = make_answer(call); });
//
// Thread: run() on the loop's thread, which also goes on there; the work runs on one of the workers.

#pragma once

#include <condition_variable>
#include <coroutine>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "net/loop.h"

namespace tidegate::apiserver {

class Workers {
 public:
  Workers(net::Loop& loop, int threads, std::size_t waiting_max);
  // Finishes what was accepted. The loop must run or have run everything posted.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  struct Run {
    Workers& workers;
    std::function<void()> work;
    bool taken = true;

    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> handle) {
      taken = workers.post(this, handle);
      return taken;
    }
    bool await_resume() const noexcept { return taken; }
  };

  // False at once if too much is waiting already.
  Run run(std::function<void()> work) { return Run{*this, std::move(work)}; }

 private:
  struct Waiting {
    Run* run;
    std::coroutine_handle<> handle;
  };

  bool post(Run* run, std::coroutine_handle<> handle);
  void work();

  net::Loop& loop_;
  const std::size_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Waiting> waiting_;  // guarded by mutex_
  bool ending_ = false;          // guarded by mutex_
  std::vector<std::jthread> threads_;
};

}  // namespace tidegate::apiserver
