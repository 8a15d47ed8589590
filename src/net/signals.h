// POSIX signals as something to await.
//
// Make it first thing in main(), before any thread starts: it blocks the signals for the calling thread and
// all it creates, so that they arrive here and nowhere else.

#pragma once

#include <initializer_list>

#include "net/loop.h"
#include "net/task.h"

namespace tidegate::net {

class Signals {
 public:
  Signals(Loop& loop, std::initializer_list<int> numbers);
  ~Signals();

  // The next signal's number; 0 after cancel().
  Task<int> next();
  void cancel() { watch_.cancel(); }

 private:
  int fd_;
  FdWatch watch_;
};

}  // namespace tidegate::net
