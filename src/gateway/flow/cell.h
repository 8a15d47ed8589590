// What all workers know of one pool's waiting requests: how many, how large, and the highest priority that
// waits on each worker. It lives as long as the pool, whatever snapshot names it.
//
// Requests are counted where they wait: held (there is no endpoint) or in the band of their priority. Bounds
// hold over all workers. Bands are found by priority and never given back, so a pool has at most kBands of
// them; further priorities share the last one's bounds, never its place in the queue.
//
// Thread: any, lock-free. Counters of one pool are touched only by requests that wait.

#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace tidegate::flow {

struct Bounds {
  std::uint32_t requests = 0;
  std::uint64_t bytes = 0;
};

class Cell {
 public:
  static constexpr std::size_t kBands = 8;

  explicit Cell(std::size_t workers) : tops_(workers) {
    for (Top& top : tops_) top.priority.store(kNobody, std::memory_order_relaxed);
  }

  // Requests that wait, held or queued. The one thing that a request looks at which does not wait.
  std::uint32_t waiting() const { return waiting_.load(std::memory_order_relaxed); }

  // Where one request is counted, until it leaves. Empty if the bound is reached.
  struct Place {
    std::uint8_t band = kHeld;
    std::uint64_t bytes = 0;
  };
  std::optional<Place> hold(std::uint64_t bytes, const Bounds& bounds);
  std::optional<Place> queue(std::int32_t priority, std::uint64_t bytes, const Bounds& bounds);
  void leave(const Place& place);

  // The highest priority that waits on a worker; empty if nobody does.
  void set_top(std::size_t worker, std::optional<std::int32_t> priority);
  // The highest of all workers; empty if nobody waits.
  std::optional<std::int32_t> top() const;
  // Workers on which somebody waits.
  std::uint32_t waiting_workers() const;

  struct Row {
    std::int32_t priority = 0;
    std::uint32_t requests = 0;
    std::uint64_t bytes = 0;
  };
  Row held() const;
  std::vector<Row> queued() const;  // one per band that was ever used

 private:
  static constexpr std::uint8_t kHeld = 0xFF;
  static constexpr std::int64_t kNobody = std::numeric_limits<std::int64_t>::min();
  struct Count {
    std::atomic<std::int64_t> priority{kNobody};
    std::atomic<std::uint32_t> requests{0};
    std::atomic<std::uint64_t> bytes{0};
    Row row() const;
  };
  struct alignas(64) Top {
    std::atomic<std::int64_t> priority;
  };
  std::uint8_t band_of(std::int32_t priority);
  std::optional<Place> enter(std::uint8_t band, std::uint64_t bytes, const Bounds& bounds);
  Count& count_of(std::uint8_t band) { return band == kHeld ? held_ : bands_[band]; }

  alignas(64) std::atomic<std::uint32_t> waiting_{0};
  alignas(64) Count held_;
  std::array<Count, kBands> bands_;
  std::vector<Top> tops_;
};

}  // namespace tidegate::flow
