// Tells when something may have changed in a few directories, at once through inotify where that works.
//
// Thread: one thread, except through the stop token.

#pragma once

#include <filesystem>
#include <set>
#include <stop_token>

#include "base/clock.h"

namespace tidegate::cluster {

class FileWatch {
 public:
  FileWatch();
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

  // Watches these directories from now on. Call it again before each look: a directory that was replaced is
  // another. Returns false if some of them cannot be watched; then only looking again and again helps.
  bool arm(const std::set<std::filesystem::path>& directories);

  // Waits until something has changed and then been quiet for `settle` (at most ten times that), or until
  // `timeout` has passed or `stop` was asked for.
  void wait(Duration timeout, Duration settle, const std::stop_token& stop);

 private:
  // Waits for one event; returns whether one came.
  bool wait_once(Duration timeout);
  void drain();

  int inotify_ = -1;
  int wake_ = -1;  // an eventfd
};

}  // namespace tidegate::cluster
