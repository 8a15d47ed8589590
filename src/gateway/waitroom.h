// Where requests wait for an endpoint (held) or for room on one (queued), on one worker.
//
//   Waiter waiter;                                    in the request's coroutine
//   waitroom.enter(waiter, cell, ask, place);
//   const Wake wake = co_await waitroom.wait(waiter);
//
// Who goes next is flow::Queue's word; how many may go is read from the endpoints' gates, and for those that
// waited for a first endpoint from a ramp. It looks whenever a new View comes, and every few milliseconds
// while somebody waits: endpoints' counters change on other threads, and nobody is told.
//
// Thread: the worker's own.

#pragma once

#include <coroutine>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "gateway/admit/admit.h"
#include "gateway/flow/cell.h"
#include "gateway/flow/queue.h"
#include "gateway/flow/ramp.h"
#include "gateway/view.h"
#include "net/loop.h"

namespace tidegate::gateway {

enum class Wake : std::uint8_t {
  kNone,      // still waits
  kGo,        // its turn has come; Waiter::view says where to
  kLate,      // its time is over
  kLeft,      // its client has gone
  kPoolGone,  // the pool was deleted
  kStopping,  // the gateway stops
  kTick,      // still waits, and Waiter::tick has come
};

// Whose turn came, for the account of its tenant.
struct Turn {
  flow::Cell* cell = nullptr;
  flow::Queue::Id id = 0;
};

struct Waiter {
  Wake wake = Wake::kNone;
  std::shared_ptr<const View> view;  // with kGo: the newest
  const PoolView* pool = nullptr;    // with kGo: in `view`
  TimePoint tick = TimePoint::max();

  // Waitroom's.
  std::coroutine_handle<> handle;
  flow::Cell* cell = nullptr;
  flow::Queue::Id id = 0;
  flow::Cell::Place place;
};

class Waitroom {
 public:
  Waitroom(net::Loop& loop, std::size_t worker, const admit::Limits& limits);
  ~Waitroom();  // requires: nobody waits

  void enter(Waiter& waiter, const std::shared_ptr<flow::Cell>& cell, const flow::Ask& ask,
             const flow::Cell::Place& place);

  // Until the waiter's turn has come or something else has happened to it. After kTick: wait again.
  auto wait(Waiter& waiter) {
    struct Awaiter {
      Waitroom& room;
      Waiter& waiter;
      bool await_ready() const noexcept { return waiter.wake != Wake::kNone; }
      void await_suspend(std::coroutine_handle<> handle) const {
        waiter.handle = handle;
        room.remember_tick(waiter);
      }
      Wake await_resume() const noexcept {
        const Wake wake = waiter.wake;
        if (wake == Wake::kTick) waiter.wake = Wake::kNone;
        return wake;
      }
    };
    return Awaiter{*this, waiter};
  }

  // Its client has gone: its place is free at once.
  void leave(Waiter& waiter);

  // One that was told to go is over. To be called once for each; `used` as flow::Queue has it.
  void settle(const Turn& turn, std::optional<double> used);

  void set(std::shared_ptr<const View> view);

  // No endpoint will come in time: who waits for one is told. Those queued may still get their turn.
  void stop();

 private:
  struct Line {  // of one pool, as long as somebody waits or is not settled
    std::shared_ptr<flow::Cell> cell;
    flow::Queue queue;
    flow::Ramp ramp;
    bool had_endpoint = true;
    std::unordered_map<flow::Queue::Id, Waiter*> waiters;
  };

  void remember_tick(Waiter& waiter);
  void pump();
  void let_go(Line& line, const PoolView& pool, TimePoint now);
  std::uint32_t room_of(const PoolView& pool, TimePoint now) const;
  static bool has_endpoint(const PoolView& pool, TimePoint now);
  const PoolView* find(const flow::Cell* cell) const;
  // Out of the line already.
  void wake(Line& line, flow::Queue::Id id, Wake why);
  void resume(Waiter& waiter, Wake why);
  std::map<flow::Cell*, Line>::iterator drop_if_over(std::map<flow::Cell*, Line>::iterator line);
  void wake_all(Line& line, Wake why);

  net::Loop& loop_;
  std::size_t worker_;
  const admit::Limits& limits_;
  net::Timer timer_;
  std::shared_ptr<const View> view_;
  std::map<flow::Cell*, Line> lines_;
  std::set<std::pair<TimePoint, Waiter*>> ticks_;
  bool stopping_ = false;
};

}  // namespace tidegate::gateway
