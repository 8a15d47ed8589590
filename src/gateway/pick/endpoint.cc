#include "gateway/pick/endpoint.h"

#include <algorithm>

namespace tidegate::pick {

void EndpointCell::publish(const Scraped& scraped, std::uint64_t mark, TimePoint now) {
  waiting_.store(scraped.waiting, std::memory_order_relaxed);
  running_.store(scraped.running, std::memory_order_relaxed);
  kv_usage_.store(scraped.kv_usage, std::memory_order_relaxed);
  seen_.store(mark, std::memory_order_relaxed);
  finished_unseen_.store(0, std::memory_order_relaxed);
  scraped_at_ns_.store(now.time_since_epoch().count(), std::memory_order_release);
}

void EndpointCell::observe(AdapterId adapter, TimePoint now, EndpointFacts& facts) const {
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
  // The three counters are not read as one, so a difference may be off for a moment; it is kept within what
  // is possible.
  const auto unseen = static_cast<std::int64_t>(dispatched_.load(std::memory_order_relaxed) -
                                                seen_.load(std::memory_order_relaxed) -
                                                finished_unseen_.load(std::memory_order_relaxed));
  facts.unseen = static_cast<std::uint32_t>(std::clamp<std::int64_t>(unseen, 0, facts.in_flight));
  facts.adapter = residency_.place(adapter);
}

}  // namespace tidegate::pick
