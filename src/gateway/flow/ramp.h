// How fast requests are let go that waited for a first endpoint: a few at once, then twice as many every
// tenth of a second. A cold engine is not buried, ten thousand are gone within a second, and where the engine
// is scraped its gate slows this down.
//
// Thread: a value.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "base/clock.h"

namespace tidegate::flow {

class Ramp {
 public:
  static constexpr double kFirst = 32;
  static constexpr double kDoubleS = 0.1;

  void start(TimePoint now) {
    began_ = now;
    let_go_ = 0;
    running_ = true;
  }
  void stop() { running_ = false; }
  bool running() const { return running_; }

  // How many more may go now.
  std::uint32_t allowance(TimePoint now) const {
    constexpr std::uint32_t kAll = std::numeric_limits<std::uint32_t>::max();
    if (!running_) return kAll;
    const double total = kFirst * std::exp2(std::min(seconds(now - began_) / kDoubleS, 24.0));
    return total >= static_cast<double>(let_go_) ? static_cast<std::uint32_t>(total) - let_go_ : 0;
  }
  void went(std::uint32_t count) { let_go_ += count; }

 private:
  TimePoint began_{};
  std::uint32_t let_go_ = 0;
  bool running_ = false;
};

}  // namespace tidegate::flow
