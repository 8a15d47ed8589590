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
#include "gateway/pick/candidates.h"
#include "gateway/pick/criticality.h"
#include "gateway/pick/endpoint.h"
#include "gateway/pick/settings.h"

namespace tidegate::pick {

struct PickRequest {
  Criticality criticality = Criticality::kStandard;
  std::uint32_t prompt_bytes = 0;      // 0: not known
  const Settings* settings = nullptr;  // of the request's pool; null: the picker's own
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
  Candidates candidates_;
  std::vector<float> total_;
  std::vector<float> score_;
  void order_by_chance(Choice choice, Random& random);
};

}  // namespace tidegate::pick
