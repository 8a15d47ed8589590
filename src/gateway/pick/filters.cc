#include "gateway/pick/filters.h"

#include <algorithm>

namespace tidegate::pick {
namespace {

template <typename Passes>
void keep_if_any(std::span<const EndpointFacts> facts, std::vector<std::uint32_t>& kept, Passes passes) {
  const auto fits = [&](std::uint32_t i) { return passes(facts[i]); };
  if (std::any_of(kept.begin(), kept.end(), fits))
    std::erase_if(kept, [&](std::uint32_t i) { return !fits(i); });
}

}  // namespace

void filter(std::span<const EndpointFacts> facts, Criticality criticality, const Settings& settings,
            std::vector<std::uint32_t>& kept) {
  kept.clear();
  bool all_healthy = true;
  std::size_t ejected = 0;
  for (std::uint32_t i = 0; i < facts.size(); ++i) {
    if (facts[i].draining || facts[i].tried) continue;
    if (settings.requests_max > 0 && facts[i].in_flight >= settings.requests_max) continue;
    ejected += facts[i].ejected ? 1 : 0;
    kept.push_back(i);
    all_healthy = all_healthy && facts[i].healthy;
  }
  if (!all_healthy) keep_if_any(facts, kept, [](const EndpointFacts& f) { return f.healthy; });
  if (ejected > 0 &&
      static_cast<float>(ejected) <= settings.ejected_share_max * static_cast<float>(kept.size()))
    keep_if_any(facts, kept, [](const EndpointFacts& f) { return !f.ejected; });
  if (settings.session.pins) keep_if_any(facts, kept, [](const EndpointFacts& f) { return f.session; });
  if (criticality == Criticality::kSheddable) {
    keep_if_any(facts, kept, [&](const EndpointFacts& f) {
      return f.waiting + static_cast<float>(f.unseen) <= settings.headroom_waiting &&
             f.kv_usage <= settings.headroom_kv;
    });
  }
}

}  // namespace tidegate::pick
