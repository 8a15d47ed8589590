// What the picker knows of one endpoint: a cell that all workers and the scraper share, and a snapshot of it
// as plain values, which is all that scorers ever see.
//
// Load truth. A scrape is old the moment it arrives. The cell counts dispatches that the last scrape cannot
// have seen, and facts carry them beside the scraped values, so a picker that asks again at once already sees
// its own last choice.
//
//   worker:   Ticket ticket = cell.dispatch();  ...  cell.finish(ticket);       exactly once each
//   scraper:  auto mark = cell.mark();  fetch and read the page;  cell.publish(scraped, mark, now);
//
// A dispatch between mark() and publish() counts as unseen although the page may show it: for one scrape
// interval the endpoint looks a little busier than it is, never idler.
//
// Thread: EndpointCell: any thread, wait-free. EndpointFacts: a value.

#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <span>

#include "base/clock.h"
#include "gateway/pick/residency.h"

namespace tidegate::pick {

// The numbers of one scrape.
struct Scraped {
  float waiting = 0;
  float running = 0;
  float kv_usage = 0;  // 0 to 1
};

struct EndpointFacts {
  bool healthy = true;    // answers probes and recent requests
  bool draining = false;  // finishes what it has, takes nothing new
  bool tried = false;     // this very request failed there already
  bool ejected = false;   // its answers are failures, or it hangs

  float waiting = 0;  // as scraped
  float running = 0;
  float kv_usage = 0;
  float age_s = std::numeric_limits<float>::infinity();  // of the scrape; infinite if there was none

  std::uint32_t in_flight = 0;  // our requests there, over all workers
  std::uint32_t unseen = 0;     // those of them that the scrape cannot show

  AdapterPlace adapter = AdapterPlace::kNotAsked;  // where the requested adapter is on this endpoint
  std::uint32_t prefix_bytes = 0;                  // of the request's prompt that its KV cache holds
  bool session = false;                            // the request's session is at home here
  std::uint64_t prefill_bytes = 0;  // of prompts we sent there that were not held and have no answer yet
};

class EndpointCell {
 public:
  explicit EndpointCell(std::uint32_t adapter_slots = kDefaultAdapterSlots) : residency_(adapter_slots) {}

  // Handed out by dispatch, handed back to finish.
  using Ticket = std::uint64_t;
  Ticket dispatch() {
    in_flight_.fetch_add(1, std::memory_order_relaxed);
    return dispatched_.fetch_add(1, std::memory_order_relaxed) + 1;
  }
  void finish(Ticket ticket) {
    in_flight_.fetch_sub(1, std::memory_order_relaxed);
    if (ticket > seen_.load(std::memory_order_relaxed))
      finished_unseen_.fetch_add(1, std::memory_order_relaxed);
  }

  // An endpoint hangs if requests wait for the first byte of an answer and none has come to anyone for that
  // long. Between dispatch and finish each request waits until begun() is called for it.
  void awaits(TimePoint now) {
    if (awaiting_.fetch_add(1, std::memory_order_relaxed) == 0) progressed(now);
  }
  void begun(TimePoint now) {
    awaiting_.fetch_sub(1, std::memory_order_relaxed);
    progressed(now);
  }
  // The request ended without an answer.
  void gave_up() { awaiting_.fetch_sub(1, std::memory_order_relaxed); }
  void progressed(TimePoint now) {
    progress_ns_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  }
  bool hangs(TimePoint now, Duration after) const {
    return awaiting_.load(std::memory_order_relaxed) > 0 && after > Duration::zero() &&
           now.time_since_epoch().count() - progress_ns_.load(std::memory_order_relaxed) > after.count();
  }

  // Beside dispatch and finish: bytes of prompt that the engine has to compute before it can answer.
  void add_prefill(std::uint64_t bytes) { prefill_bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  void end_prefill(std::uint64_t bytes) { prefill_bytes_.fetch_sub(bytes, std::memory_order_relaxed); }

  // Call before the scrape request is sent.
  std::uint64_t mark() const { return dispatched_.load(std::memory_order_relaxed); }
  void publish(const Scraped& scraped, std::uint64_t mark, TimePoint now);

  void set_healthy(bool healthy) { healthy_.store(healthy, std::memory_order_relaxed); }
  void set_draining(bool draining) { draining_.store(draining, std::memory_order_relaxed); }
  bool healthy() const { return healthy_.load(std::memory_order_relaxed); }
  bool draining() const { return draining_.load(std::memory_order_relaxed); }
  std::uint32_t in_flight() const { return in_flight_.load(std::memory_order_relaxed); }

  Residency& residency() { return residency_; }
  const Residency& residency() const { return residency_; }

  // `adapter` is adapter_id(name) of the requested adapter, or kNoAdapter for the base model. Writes every
  // fact but `tried`, `ejected`, `prefix_bytes` and `session`, which stay. In a loop over many endpoints give
  // it a place in the list itself: copying facts costs more than reading them.
  void observe(AdapterId adapter, TimePoint now, EndpointFacts& facts) const;
  EndpointFacts facts(AdapterId adapter, TimePoint now) const {
    EndpointFacts facts;
    observe(adapter, now, facts);
    return facts;
  }

 private:
  // Written per request; kept away from what only the scraper writes.
  alignas(64) std::atomic<std::uint32_t> in_flight_{0};
  std::atomic<std::uint64_t> dispatched_{0};
  std::atomic<std::uint64_t> finished_unseen_{0};
  std::atomic<std::uint64_t> prefill_bytes_{0};
  std::atomic<std::int64_t> progress_ns_{0};
  std::atomic<std::uint32_t> awaiting_{0};

  alignas(64) std::atomic<std::uint64_t> seen_{0};  // dispatches that the last scrape may show
  std::atomic<std::int64_t> scraped_at_ns_{std::numeric_limits<std::int64_t>::min()};
  std::atomic<float> waiting_{0};
  std::atomic<float> running_{0};
  std::atomic<float> kv_usage_{0};
  std::atomic<bool> healthy_{true};
  std::atomic<bool> draining_{false};
  Residency residency_;
};

inline void EndpointCell::observe(AdapterId adapter, TimePoint now, EndpointFacts& facts) const {
  facts.healthy = healthy();
  facts.draining = draining();
  const std::int64_t scraped_at = scraped_at_ns_.load(std::memory_order_acquire);
  const bool scraped = scraped_at != std::numeric_limits<std::int64_t>::min();
  facts.waiting = waiting_.load(std::memory_order_relaxed);
  facts.running = running_.load(std::memory_order_relaxed);
  facts.kv_usage = kv_usage_.load(std::memory_order_relaxed);
  facts.age_s = scraped ? static_cast<float>(now.time_since_epoch().count() - scraped_at) * 1e-9F
                        : std::numeric_limits<float>::infinity();
  facts.in_flight = in_flight();
  facts.prefill_bytes = prefill_bytes_.load(std::memory_order_relaxed);
  // The three counters are not read as one, so a difference may be off for a moment; it is kept within what
  // is possible.
  const auto unseen = static_cast<std::int64_t>(dispatched_.load(std::memory_order_relaxed) -
                                                seen_.load(std::memory_order_relaxed) -
                                                finished_unseen_.load(std::memory_order_relaxed));
  facts.unseen = static_cast<std::uint32_t>(std::clamp<std::int64_t>(unseen, 0, facts.in_flight));
  facts.adapter = residency_.place(adapter);
}

}  // namespace tidegate::pick
