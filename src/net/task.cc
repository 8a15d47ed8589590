#include "net/task.h"

#include <array>
#include <new>

#include "base/check.h"

namespace tidegate::net {
namespace detail {
namespace {

constexpr std::size_t kClassBytes = 128;
constexpr std::size_t kClasses = 64;  // frames up to 8 KiB are kept
constexpr std::size_t kKeptMax = 256;

struct FreeFrame {
  FreeFrame* next;
};

// Frames that ended on this thread, by size class, for those that start next.
struct FrameCache {
  std::array<FreeFrame*, kClasses> free{};
  std::array<std::size_t, kClasses> count{};
  ~FrameCache() {
    for (FreeFrame* frame : free) {
      while (frame) ::operator delete(std::exchange(frame, frame->next));
    }
  }
};

thread_local FrameCache cache;

constexpr std::size_t class_of(std::size_t size) { return (size - 1) / kClassBytes; }

}  // namespace

void* allocate_frame(std::size_t size) {
  const std::size_t index = class_of(size);
  if (index >= kClasses) return ::operator new(size);
  FreeFrame*& head = cache.free[index];
  if (!head) return ::operator new((index + 1) * kClassBytes);
  --cache.count[index];
  return std::exchange(head, head->next);
}

void release_frame(void* frame, std::size_t size) noexcept {
  const std::size_t index = class_of(size);
  if (index >= kClasses || cache.count[index] >= kKeptMax) {
    ::operator delete(frame);
    return;
  }
  ++cache.count[index];
  auto* freed = static_cast<FreeFrame*>(frame);
  freed->next = cache.free[index];
  cache.free[index] = freed;
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
