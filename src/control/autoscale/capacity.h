// How many requests one replica serves at once, learned from what its engines show. The lower bound holds:
//
//   k1, by KV   the requests whose contexts fill an engine's cache, by the mean context of what runs, less room
//               for ordinary chance: a cache of few requests needs a larger share of it than one of many
//   k2, by      the most requests at which an engine's queue still empties in time. An engine is saturated
//   compute     while its queue was not empty for as long as a first token may take: only then can somebody in
//               it have waited too long. That somebody waits for the end of a step is no sign of it; who counts
//               such moments finds every engine full
//
// For each number of requests at an engine the model keeps for how long engines were seen with it, and for how
// long of that saturated. A number is proven when enough was seen near it and saturation is rare; that proves
// every smaller number too. From the greatest proven one the model goes on by a quarter at a time until a
// number is refuted. Evidence fades, so neither verdict is for ever.
//
// Thread: pure.
// Units: requests, seconds.
// Source: reference elastic.md section 7 (llm-d workload variant autoscaler, saturation v2: k1, k2).

#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"

namespace tidegate::autoscale {

// One look at an engine's page.
struct EngineView {
  double running = 0;
  double waiting = 0;
  double kv_usage = 0;  // 0 to 1
};

class CapacityModel {
 public:
  // `engine` is a name that stays with it; looks come in order of time, and the same one again does no harm.
  // `target` is the longest that a first token may take.
  void learn(const std::string& engine, const EngineView& view, Duration target, WallTime now);

  // Empty while no engine has been seen at work.
  std::optional<double> capacity() const;

 private:
  static constexpr std::size_t kMost = 512;  // requests at one engine; more count as that many

  struct Evidence {
    double seen_s = 0;
    double saturated_s = 0;
  };
  using Sums = std::array<Evidence, kMost + 1>;  // of all numbers up to each
  struct Watched {
    WallTime at{};                         // of the last look
    std::optional<WallTime> queued_since;  // empty: its queue was empty then
  };

  void fade(WallTime now);
  Sums sums() const;
  double compute_bound() const;
  std::optional<double> kv_bound() const;

  std::array<Evidence, kMost + 1> by_requests_{};
  double running_s_ = 0;  // requests times seconds,
  double kv_s_ = 0;       // and the share of a cache that they held meanwhile
  std::map<std::string, Watched> engines_;
  std::optional<WallTime> faded_;
};

}  // namespace tidegate::autoscale
