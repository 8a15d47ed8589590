// How many requests of ours an endpoint may have under way before more would only wait in its engine's queue.
//
// A window, learned at every scrape from what the engine says and how many of ours it had then:
//   its queue is short   the window grows by the places left in it; while nothing waits it may double
//   its queue is full    the window shrinks to what leaves the queue just full
//   its KV cache is full what ends may be replaced, nothing is added
// So a burst between two scrapes is bounded by the window, an answer that ends makes room at once, and an
// engine that others use too is given less. It never closes: one request may always be there.
//
// An endpoint that nobody scrapes (a Service's) has no window. One whose scrapes have gone stale is open:
// missing metrics never stop traffic.
//
// Thread: observe(), start() and open() the scraper's; the rest any, wait-free.
// Source: Gateway API Inference Extension, utilization detector (thresholds 5 waiting and 0.8 KV use).

#pragma once

#include <atomic>
#include <cstdint>
#include <limits>

namespace tidegate::flow {

struct GateLimits {
  std::uint32_t first = 64;  // before the first scrape, and what a quiet endpoint goes back to
  float waiting = 5;         // requests in an engine's queue that count it as full
  float kv = 0.8F;           // KV cache use that counts it as full
};

class Gate {
 public:
  static constexpr std::uint32_t kOpen = std::numeric_limits<std::uint32_t>::max();

  // From open to the first window.
  void start(const GateLimits& limits) { window_.store(limits.first, std::memory_order_relaxed); }
  void open() { window_.store(kOpen, std::memory_order_relaxed); }

  // `in_flight`: ours when the scrape was answered.
  void observe(float waiting, float kv_usage, std::uint32_t in_flight, const GateLimits& limits);

  std::uint32_t window() const { return window_.load(std::memory_order_relaxed); }
  bool has_room(std::uint32_t in_flight) const { return in_flight < window(); }
  std::uint32_t room(std::uint32_t in_flight) const {
    const std::uint32_t most = window();
    return in_flight < most ? most - in_flight : 0;
  }

 private:
  std::atomic<std::uint32_t> window_{kOpen};
};

}  // namespace tidegate::flow
