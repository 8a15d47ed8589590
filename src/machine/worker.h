// One thread for what may block: calls to the cluster, files, looking through /proc. The machine's own thread
// runs the event loop and must not wait for any of them.
//
// Jobs run in order. Jobs with the same key replace each other while they wait, so a status that changes ten
// times while the API server is slow is written once.
//
// Thread: post() from any; jobs run on the worker's own.

#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace tidegate::machine {

class Worker {
 public:
  Worker() = default;
  ~Worker() { stop(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void start();
  // Runs what waits, then ends the thread.
  void stop();

  void post(std::function<void()> job) { post({}, std::move(job)); }
  // An empty key never replaces.
  void post(std::string key, std::function<void()> job);

 private:
  struct Item {
    std::string key;
    std::function<void()> job;
  };
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> items_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace tidegate::machine
