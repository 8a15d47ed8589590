// Orders endpoints for one request, best first.
//
//   picker.facts().clear(); for each endpoint of the pool: picker.facts().push_back(cell.facts(adapter,
//   now)); Ranking order = picker.rank(request, random); order.at(0) is the index into facts of the best;
//   order.at(1) the next to try, and so on.
//
// Filters take away what cannot serve (filters.h), scorers give each of the rest 0 to 1 (scorers/all.h),
// weights add them up. Equal sums are put in random order, so equal endpoints share alike.
//
// Affinity is bounded: an endpoint whose load is over `affinity_load_max` times the mean of the pool (plus a
// constant few) gets no credit for what it holds. That is the guard against one endpoint drowning in a
// popular adapter.
//
// Thread: a Picker belongs to one worker and reuses its memory. Pure otherwise: equal facts, request and
// random state give equal answers.

#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "gateway/pick/criticality.h"
#include "gateway/pick/endpoint.h"

namespace tidegate::pick {

struct Weights {
  float queue = 2;
  float running = 1;
  float kv = 1;
  float in_flight = 1;
  float lora = 2;
  bool operator==(const Weights&) const = default;
};

struct Settings {
  Weights weights;
  // A scrape older than `fresh` loses weight linearly and none is left at `stale`.
  Duration fresh = std::chrono::milliseconds(500);
  Duration stale = std::chrono::seconds(10);
  // Sheddable requests keep away from endpoints over these while others are below.
  float headroom_waiting = 5;
  float headroom_kv = 0.8F;
  // Affinity counts on endpoints with load <= max * mean + slack.
  float affinity_load_max = 1.25F;
  float affinity_load_slack = 2;
};

struct PickRequest {
  Criticality criticality = Criticality::kStandard;
};

// The best few endpoints as indices into the facts, best first.
class Ranking {
 public:
  static constexpr std::size_t kMax = 8;
  bool empty() const { return count_ == 0; }
  std::size_t size() const { return count_; }
  std::uint32_t at(std::size_t place) const { return index_[place]; }
  std::span<const std::uint32_t> view() const { return {index_.data(), count_}; }

 private:
  friend class Picker;
  std::array<std::uint32_t, kMax> index_{};
  std::size_t count_ = 0;
};

class Picker {
 public:
  explicit Picker(Settings settings = {}) : settings_(settings) {}

  void set(const Settings& settings) { settings_ = settings; }
  const Settings& settings() const { return settings_; }

  // The candidates of the next rank(), in the pool's order. The caller clears and fills it.
  std::vector<EndpointFacts>& facts() { return facts_; }

  // Up to `wanted` endpoints. Empty if none can serve.
  Ranking rank(const PickRequest& request, Random& random, std::size_t wanted = 3);

 private:
  Settings settings_;
  std::vector<EndpointFacts> facts_;
  std::vector<EndpointFacts> kept_;
  std::vector<std::uint32_t> kept_index_;
  std::vector<float> total_;
  std::vector<float> score_;
};

}  // namespace tidegate::pick
