// How much engines are asked to tokenize: bytes a second for each, with two seconds' worth at once. Prompts
// that were seen before may use all of it, new ones the half: they may never come again.
//
// A question costs at least as much as one of 32 KiB: asking at all is work, too.
//
// Thread: any.

#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace tidegate::kvfeed {

class Budget {
 public:
  // 0: nothing is asked.
  explicit Budget(std::uint64_t bytes_per_second) : bytes_per_second_(bytes_per_second) {}

  void set_engines(std::size_t engines) { engines_.store(std::max<std::size_t>(engines, 1)); }

  // True if a prompt of that size may be asked for, which is then spent.
  bool spend(std::uint64_t bytes, bool seen_before, TimePoint now) {
    if (bytes_per_second_ == 0) return false;
    const double cost = static_cast<double>(std::max(bytes, kLeast)) * 1e9 /
                        static_cast<double>(bytes_per_second_ * engines_.load(std::memory_order_relaxed));
    const std::int64_t now_ns = now.time_since_epoch().count();
    std::int64_t paid_until = paid_until_ns_.load(std::memory_order_relaxed);
    while (true) {
      const std::int64_t from = std::max(paid_until, now_ns);
      if (from - now_ns > (seen_before ? kAtOnceNs : kAtOnceNs / 2)) return false;
      if (paid_until_ns_.compare_exchange_weak(paid_until, from + static_cast<std::int64_t>(cost),
                                               std::memory_order_relaxed))
        return true;
    }
  }

 private:
  static constexpr std::uint64_t kLeast = 32 * 1024;
  static constexpr std::int64_t kAtOnceNs = 2'000'000'000;

  const std::uint64_t bytes_per_second_;
  std::atomic<std::size_t> engines_{1};
  std::atomic<std::int64_t> paid_until_ns_{0};
};

}  // namespace tidegate::kvfeed
