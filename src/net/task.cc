#include "net/task.h"

#include "base/check.h"

namespace tidegate::net {
namespace detail {

constinit thread_local FrameCache frames{};

namespace {

struct Sweeper {
  void begin() {}
  ~Sweeper() {
    for (FrameCache::List& list : frames.lists) {
      while (list.first != nullptr) ::operator delete(std::exchange(list.first, list.first->next));
      list.count = FrameCache::kKeptMax;  // what ends after this is not kept
    }
  }
};

thread_local Sweeper sweeper;

}  // namespace

void* new_frame(std::size_t size) {
  sweeper.begin();
  return ::operator new(size);
}

}  // namespace detail

struct TaskGroup::Detached {
  struct promise_type {
    static void* operator new(std::size_t size) { return detail::allocate_frame(size); }
    static void operator delete(void* frame, std::size_t size) noexcept {
      detail::release_frame(frame, size);
    }
    Detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
};

TaskGroup::~TaskGroup() { TG_CHECK(running_ == 0); }

TaskGroup::Detached TaskGroup::run(TaskGroup& group, Task<void> task) {
  co_await task;
  group.finished();
}

void TaskGroup::spawn(Task<void> task) {
  ++running_;
  run(*this, std::move(task));
}

void TaskGroup::finished() {
  if (--running_ == 0 && waiter_) std::exchange(waiter_, nullptr).resume();
}

}  // namespace tidegate::net
