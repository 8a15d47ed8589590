// Where the engine's outputs meet the requests that wait for them, on the loop's thread.
//
// A request opens a Ticket for its sequences, submits them under the ticket's ids and awaits news:
//
//   Ticket ticket(inbox, count);          ids ticket.first() .. ticket.first() + count - 1
//   while (co_await ticket.news()) { for (Output& output : ticket.take()) ... }     // false: the client left
//
// Thread: the loop's own; post() from the engine thread.

#pragma once

#include <coroutine>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "engine/batch/request.h"
#include "net/loop.h"

namespace tidegate::serve {

class Ticket;

class Inbox {
 public:
  // `delivered` is called on the loop's thread after each batch.
  Inbox(net::Loop& loop, std::function<void()> delivered) : loop_(loop), delivered_(std::move(delivered)) {}

  // Any thread.
  void post(std::vector<batch::Output> outputs);

 private:
  friend class Ticket;
  void dispatch(std::vector<batch::Output>& outputs);

  net::Loop& loop_;
  std::function<void()> delivered_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, Ticket*> tickets_;  // by first id
};

class Ticket {
 public:
  Ticket(Inbox& inbox, std::size_t count);
  ~Ticket();
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;

  std::uint64_t first() const { return first_; }
  std::size_t count() const { return count_; }
  std::vector<std::uint64_t> ids() const;

  // Resumes with true when there is something to take, with false once leave() was called.
  auto news() {
    struct Awaiter {
      Ticket& ticket;
      bool await_ready() const noexcept { return ticket.left_ || !ticket.outputs_.empty(); }
      void await_suspend(std::coroutine_handle<> handle) const noexcept { ticket.waiter_ = handle; }
      bool await_resume() const noexcept { return !ticket.left_; }
    };
    return Awaiter{*this};
  }
  std::vector<batch::Output> take() { return std::exchange(outputs_, {}); }

  void leave();

 private:
  friend class Inbox;
  void wake();

  Inbox& inbox_;
  std::uint64_t first_;
  std::size_t count_;
  bool left_ = false;
  std::vector<batch::Output> outputs_;
  std::coroutine_handle<> waiter_;
};

// One value from another thread: made on the loop's thread, filled from any, awaited once.
//
//   auto reply = std::make_shared<Reply<int>>(loop);
//   elsewhere([reply] { reply->set(42); });
//   const int value = co_await reply->wait();
template <typename T>
class Reply : public std::enable_shared_from_this<Reply<T>> {
 public:
  explicit Reply(net::Loop& loop) : loop_(loop) {}

  void set(T value) {
    loop_.post([self = this->shared_from_this(), value = std::move(value)] {
      self->value_ = value;
      if (self->waiter_) self->loop_.resume_later(std::exchange(self->waiter_, nullptr));
    });
  }

  auto wait() {
    struct Awaiter {
      Reply& reply;
      bool await_ready() const noexcept { return reply.value_.has_value(); }
      void await_suspend(std::coroutine_handle<> handle) const noexcept { reply.waiter_ = handle; }
      T await_resume() const { return *std::move(reply.value_); }
    };
    return Awaiter{*this};
  }

 private:
  net::Loop& loop_;
  std::optional<T> value_;
  std::coroutine_handle<> waiter_;
};

}  // namespace tidegate::serve
