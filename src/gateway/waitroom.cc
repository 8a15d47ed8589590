#include "gateway/waitroom.h"

#include <algorithm>

#include "base/check.h"

namespace tidegate::gateway {
namespace {

// How long after room has come somebody may still wait.
constexpr Duration kLookEvery = std::chrono::milliseconds(5);

// Enough for one look, however wide an open gate is.
constexpr std::uint32_t kRoomMax = 1'000'000;

}  // namespace

Waitroom::Waitroom(net::Loop& loop, std::size_t worker, const admit::Limits& limits)
    : loop_(loop), worker_(worker), limits_(limits), timer_(loop, [this] { pump(); }) {}

Waitroom::~Waitroom() { TG_CHECK(lines_.empty()); }

void Waitroom::enter(Waiter& waiter, const std::shared_ptr<flow::Cell>& cell, const flow::Ask& ask,
                     const flow::Cell::Place& place) {
  Line& line = lines_[cell.get()];
  line.cell = cell;
  if (line.waiters.empty()) {
    const PoolView* pool = find(cell.get());
    line.ramp = flow::Ramp();
    line.had_endpoint = pool && has_endpoint(*pool, loop_.now());
  }
  waiter.cell = cell.get();
  waiter.place = place;
  waiter.id = line.queue.push(ask);
  line.waiters.emplace(waiter.id, &waiter);
  cell->set_top(worker_, line.queue.top());
  if (!timer_.armed()) timer_.arm(loop_.now() + kLookEvery);
}

void Waitroom::remember_tick(Waiter& waiter) {
  if (waiter.tick != TimePoint::max()) ticks_.emplace(waiter.tick, &waiter);
}

void Waitroom::leave(Waiter& waiter) {
  if (waiter.wake != Wake::kNone && waiter.wake != Wake::kTick) return;  // it is on its way
  const auto found = lines_.find(waiter.cell);
  TG_CHECK(found != lines_.end());
  Line& line = found->second;
  line.queue.erase(waiter.id);
  wake(line, waiter.id, Wake::kLeft);
  line.cell->set_top(worker_, line.queue.top());
  drop_if_over(found);
}

void Waitroom::settle(const Turn& turn, std::optional<double> used) {
  const auto found = lines_.find(turn.cell);
  TG_CHECK(found != lines_.end());
  found->second.queue.settle(turn.id, used);
  drop_if_over(found);
}

std::map<flow::Cell*, Waitroom::Line>::iterator Waitroom::drop_if_over(
    std::map<flow::Cell*, Line>::iterator line) {
  const bool is_over = line->second.waiters.empty() && line->second.queue.idle();
  return is_over ? lines_.erase(line) : std::next(line);
}

void Waitroom::set(std::shared_ptr<const View> view) {
  view_ = std::move(view);
  if (!lines_.empty()) pump();
}

void Waitroom::stop() {
  stopping_ = true;
  pump();
}

void Waitroom::pump() {
  const TimePoint now = loop_.now();
  while (!ticks_.empty() && ticks_.begin()->first <= now) {
    Waiter& waiter = *ticks_.begin()->second;
    ticks_.erase(ticks_.begin());
    waiter.wake = Wake::kTick;
    loop_.resume_later(std::exchange(waiter.handle, nullptr));
  }
  bool any_waits = false;
  for (auto entry = lines_.begin(); entry != lines_.end();) {
    Line& line = entry->second;
    if (line.waiters.empty()) {
      ++entry;
      continue;
    }
    while (const auto id = line.queue.pop_late(now)) wake(line, *id, Wake::kLate);
    const PoolView* pool = find(entry->first);
    if (pool) {
      let_go(line, *pool, now);
    } else {
      wake_all(line, Wake::kPoolGone);
    }
    line.cell->set_top(worker_, line.queue.top());
    any_waits |= !line.waiters.empty();
    entry = drop_if_over(entry);
  }
  if (any_waits) timer_.arm(now + kLookEvery);
}

void Waitroom::let_go(Line& line, const PoolView& pool, TimePoint now) {
  std::uint32_t room = room_of(pool, now);
  const bool is_served = has_endpoint(pool, now);
  if (!is_served && stopping_) return wake_all(line, Wake::kStopping);
  if (is_served && !line.had_endpoint) line.ramp.start(now);
  line.had_endpoint = is_served;
  if (room == 0) return;
  room = std::min(room, line.ramp.allowance(now));
  const std::uint32_t sharers = std::max<std::uint32_t>(line.cell->waiting_workers(), 1);
  room = (room + sharers - 1) / sharers;
  std::uint32_t went = 0;
  while (went < room && line.queue.top() && *line.queue.top() >= line.cell->top().value_or(0)) {
    wake(line, *line.queue.pop(), Wake::kGo);
    line.cell->set_top(worker_, line.queue.top());
    ++went;
  }
  line.ramp.went(went);
}

// How many requests more the pool's endpoints take now.
std::uint32_t Waitroom::room_of(const PoolView& pool, TimePoint now) const {
  std::uint32_t room = 0;
  std::uint32_t in_flight = 0;
  for (const std::shared_ptr<fleet::Live>& live : pool.endpoints) {
    const pick::EndpointFacts facts = live->facts(pick::kNoAdapter, now);
    in_flight += facts.in_flight;
    if (!facts.healthy || facts.draining) continue;
    const std::uint32_t more = live->room(facts.in_flight, now, limits_.stale);
    room = std::min(kRoomMax, room + std::min(more, kRoomMax));
  }
  if (limits_.in_flight_max > 0)
    room = std::min(room, limits_.in_flight_max - std::min(limits_.in_flight_max, in_flight));
  return room;
}

bool Waitroom::has_endpoint(const PoolView& pool, TimePoint now) {
  return std::ranges::any_of(pool.endpoints, [&](const std::shared_ptr<fleet::Live>& live) {
    const pick::EndpointFacts facts = live->facts(pick::kNoAdapter, now);
    return facts.healthy && !facts.draining;
  });
}

const PoolView* Waitroom::find(const flow::Cell* cell) const {
  if (!view_) return nullptr;
  const auto found =
      std::ranges::find_if(view_->pools, [&](const PoolView& pool) { return pool.flow.get() == cell; });
  return found == view_->pools.end() ? nullptr : &*found;
}

void Waitroom::wake(Line& line, flow::Queue::Id id, Wake why) {
  const auto found = line.waiters.find(id);
  TG_CHECK(found != line.waiters.end());
  Waiter& waiter = *found->second;
  line.waiters.erase(found);
  line.cell->leave(waiter.place);
  if (why == Wake::kGo) {
    waiter.view = view_;
    waiter.pool = find(line.cell.get());
  }
  resume(waiter, why);
}

void Waitroom::resume(Waiter& waiter, Wake why) {
  waiter.wake = why;
  if (waiter.tick != TimePoint::max()) ticks_.erase({waiter.tick, &waiter});
  if (waiter.handle) loop_.resume_later(std::exchange(waiter.handle, nullptr));
}

void Waitroom::wake_all(Line& line, Wake why) {
  while (const auto id = line.queue.pop()) {
    line.queue.settle(*id, 0);
    wake(line, *id, why);
  }
}

}  // namespace tidegate::gateway
