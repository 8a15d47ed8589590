// Task<T>: a coroutine that starts when awaited and gives one T.
//
//   Task<Result<int>> answer(Stream& stream) { ...; co_return 42; }
//   Result<int> value = co_await answer(stream);
//
// A Task belongs to the thread of the Loop it runs on. Nothing destroys a coroutine that is suspended: to end
// one early, make what it waits for fail (Stream::abort, Alarm::cancel) and let it return. A coroutine's
// parameters must be values, or references to what outlives it. Exceptions do not cross: an escaping one ends
// the program.
//
// A child that finishes without suspending costs no trip through the loop and no stack: the parent simply
// goes on. Frames come from a per-thread free list, so a steady stream of requests allocates nothing.

#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <optional>
#include <utility>

namespace tidegate::net {

namespace detail {

// Frames that ended on this thread, by size class, for those that start next. Neither constructor nor
// destructor, so that it is reached without a guard; task.cc gives the frames back when the thread ends.
struct FrameCache {
  static constexpr std::size_t kClassBytes = 128;
  static constexpr std::size_t kClasses = 64;  // frames up to 8 KiB are kept
  static constexpr std::uint32_t kKeptMax = 256;
  struct Free {
    Free* next;
  };
  struct List {
    Free* first;
    std::uint32_t count;
  };
  List lists[kClasses];
};
extern constinit thread_local FrameCache frames;

void* new_frame(std::size_t size);

constexpr std::size_t frame_class(std::size_t size) { return (size - 1) / FrameCache::kClassBytes; }

// The size is known where these are inlined, so little is left of them.
inline void* allocate_frame(std::size_t size) {
  const std::size_t index = frame_class(size);
  if (index >= FrameCache::kClasses) return ::operator new(size);
  FrameCache::List& list = frames.lists[index];
  if (list.first == nullptr) return new_frame((index + 1) * FrameCache::kClassBytes);
  --list.count;
  return std::exchange(list.first, list.first->next);
}

inline void release_frame(void* frame, std::size_t size) noexcept {
  const std::size_t index = frame_class(size);
  if (index >= FrameCache::kClasses || frames.lists[index].count >= FrameCache::kKeptMax) {
    ::operator delete(frame);
    return;
  }
  FrameCache::List& list = frames.lists[index];
  ++list.count;
  list.first = new (frame) FrameCache::Free{list.first};
}

struct Promise {
  std::coroutine_handle<> continuation;

  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { release_frame(frame, size); }

  struct Final {
    bool await_ready() const noexcept { return false; }
    template <typename P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> done) const noexcept {
      const std::coroutine_handle<> next = done.promise().continuation;
      return next ? next : std::noop_coroutine();
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  Final final_suspend() const noexcept { return {}; }
  void unhandled_exception() const noexcept { std::terminate(); }
};

}  // namespace detail

template <typename T = void>
class [[nodiscard]] Task {
 public:
  struct promise_type : detail::Promise {
    std::optional<T> value;
    Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    template <typename U>
    void return_value(U&& result) {
      value.emplace(std::forward<U>(result));
    }
  };

  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (frame_) frame_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> parent) const {
    frame_.resume();
    if (frame_.done()) return false;
    frame_.promise().continuation = parent;
    return true;
  }
  T await_resume() const { return *std::move(frame_.promise().value); }

 private:
  explicit Task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  std::coroutine_handle<promise_type> frame_;
};

template <>
class [[nodiscard]] Task<void> {
 public:
  struct promise_type : detail::Promise {
    Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    void return_void() const noexcept {}
  };

  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (frame_) frame_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> parent) const {
    frame_.resume();
    if (frame_.done()) return false;
    frame_.promise().continuation = parent;
    return true;
  }
  void await_resume() const noexcept {}

 private:
  explicit Task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  std::coroutine_handle<promise_type> frame_;
};

// Owns tasks that nobody awaits, and knows when the last has ended. Destroy it only when empty().
class TaskGroup {
 public:
  TaskGroup() = default;
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  ~TaskGroup();

  // Starts the task now; it runs until it first waits.
  void spawn(Task<void> task);

  bool empty() const { return running_ == 0; }
  std::size_t running() const { return running_; }

  // Returns when no task is left. One waiter at a time.
  auto wait_empty() {
    struct Awaiter {
      TaskGroup& group;
      bool await_ready() const noexcept { return group.empty(); }
      void await_suspend(std::coroutine_handle<> handle) const noexcept { group.waiter_ = handle; }
      void await_resume() const noexcept {}
    };
    return Awaiter{*this};
  }

 private:
  struct Detached;
  static Detached run(TaskGroup& group, Task<void> task);
  void finished();

  std::size_t running_ = 0;
  std::coroutine_handle<> waiter_;
};

}  // namespace tidegate::net
