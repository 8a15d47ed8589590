// Takes an endpoint out that answers with failures, and lets it come back by trying.
//
//   closed     requests go there. Several failures in a row, or half of the latest failing, open it.
//   open       no requests until the pause is over; each opening in a row doubles the pause.
//   half open  one request at a time is let through: its success closes, its failure opens again.
//
// What counts as a failure is the caller's to say: an answer of 500 to 599 (but 501), a connection that broke
// or was refused, no answer in time. A client that leaves counts as nothing.
//
// How much of a pool may be out at a time is the picker's to hold (Settings::ejected_share_max).
//
// Thread: any, wait-free. Where nothing fails a success only reads.

#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace tidegate::fleet {

struct BreakerLimits {
  std::uint32_t failures_in_row = 5;  // that open it; 0: it never opens
  float failure_share = 0.5F;         // of about the latest 20 that opens it
  Duration pause = std::chrono::seconds(5);
  Duration pause_max = std::chrono::minutes(2);
};

class Breaker {
 public:
  enum class State : std::uint8_t { kClosed, kOpen, kHalfOpen };

  State state(TimePoint now) const {
    const std::int64_t until = open_until_ns_.load(std::memory_order_relaxed);
    if (until == 0) return State::kClosed;
    return now.time_since_epoch().count() < until ? State::kOpen : State::kHalfOpen;
  }
  // No request should go there now.
  bool blocks(TimePoint now) const {
    const std::int64_t until = open_until_ns_.load(std::memory_order_relaxed);
    if (until == 0) return false;
    const std::int64_t at = now.time_since_epoch().count();
    return at < until || at < probe_until_ns_.load(std::memory_order_relaxed);
  }
  std::uint64_t openings() const { return openings_.load(std::memory_order_relaxed); }

  // A request goes there. While half open it is the probe, for as long as a pause.
  void sent(TimePoint now, const BreakerLimits& limits) {
    if (open_until_ns_.load(std::memory_order_relaxed) == 0) return;
    probe_until_ns_.store((now + limits.pause).time_since_epoch().count(), std::memory_order_relaxed);
  }

  // True if this closed it.
  bool succeeded(TimePoint now) {
    if (state(now) == State::kHalfOpen) {
      open_until_ns_.store(0, std::memory_order_relaxed);
      probe_until_ns_.store(0, std::memory_order_relaxed);
      openings_in_row_.store(0, std::memory_order_relaxed);
      forget();
      return true;
    }
    if (in_row_.load(std::memory_order_relaxed) != 0) in_row_.store(0, std::memory_order_relaxed);
    // The share is an average that forgets; two threads at once may lose a step of it.
    const std::uint32_t share = share_.load(std::memory_order_relaxed);
    if (share != 0)
      share_.store(share - share / kMemory - (share < kMemory ? share : 0), std::memory_order_relaxed);
    return false;
  }

  // True if this opened it.
  bool failed(TimePoint now, const BreakerLimits& limits) {
    const State before = state(now);
    if (before == State::kOpen || limits.failures_in_row == 0) return false;
    const std::uint32_t in_row = in_row_.fetch_add(1, std::memory_order_relaxed) + 1;
    const std::uint32_t share = share_.load(std::memory_order_relaxed);
    const std::uint32_t risen = share + (kWhole - share) / kMemory;
    share_.store(risen, std::memory_order_relaxed);
    const bool too_many = in_row >= limits.failures_in_row ||
                          static_cast<float>(risen) >= limits.failure_share * static_cast<float>(kWhole);
    if (before == State::kClosed && !too_many) return false;
    const std::uint32_t doublings =
        std::min(openings_in_row_.fetch_add(1, std::memory_order_relaxed), kDoublingsMax);
    const Duration pause = std::min(limits.pause * (std::int64_t{1} << doublings), limits.pause_max);
    open_until_ns_.store((now + pause).time_since_epoch().count(), std::memory_order_relaxed);
    probe_until_ns_.store(0, std::memory_order_relaxed);
    openings_.fetch_add(1, std::memory_order_relaxed);
    forget();
    return true;
  }

 private:
  static constexpr std::uint32_t kWhole = 1 << 16;
  static constexpr std::uint32_t kMemory = 20;
  static constexpr std::uint32_t kDoublingsMax = 16;

  void forget() {
    in_row_.store(0, std::memory_order_relaxed);
    share_.store(0, std::memory_order_relaxed);
  }

  std::atomic<std::uint32_t> in_row_{0};
  std::atomic<std::uint32_t> share_{0};         // of failures among the latest, in 65536ths
  std::atomic<std::int64_t> open_until_ns_{0};  // 0: closed
  std::atomic<std::int64_t> probe_until_ns_{0};
  std::atomic<std::uint32_t> openings_in_row_{0};
  std::atomic<std::uint64_t> openings_{0};
};

}  // namespace tidegate::fleet
