#include "gateway/pick/endpoint.h"

namespace tidegate::pick {

void EndpointCell::publish(const Scraped& scraped, std::uint64_t mark, TimePoint now) {
  waiting_.store(scraped.waiting, std::memory_order_relaxed);
  running_.store(scraped.running, std::memory_order_relaxed);
  kv_usage_.store(scraped.kv_usage, std::memory_order_relaxed);
  seen_.store(mark, std::memory_order_relaxed);
  finished_unseen_.store(0, std::memory_order_relaxed);
  scraped_at_ns_.store(now.time_since_epoch().count(), std::memory_order_release);
}

}  // namespace tidegate::pick
