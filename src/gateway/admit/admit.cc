#include "gateway/admit/admit.h"

#include <algorithm>
#include <string>

#include "base/check.h"

namespace tidegate::admit {
namespace {

// Long enough that a client's next try meets another state, short enough that a spike does not cost seconds.
constexpr std::uint32_t kRetryAfterMax = 10;

// A scrape counts in full while it is young and not at all when it is stale.
class Fading {
 public:
  explicit Fading(Duration stale)
      : stale_(std::max(static_cast<float>(seconds(stale)), kYoung + 0.001F)),
        slope_(1 / (stale_ - kYoung)) {}
  float operator()(float age_s) const {
    if (age_s <= kYoung) return 1;
    return age_s >= stale_ ? 0 : (stale_ - age_s) * slope_;
  }

 private:
  static constexpr float kYoung = 0.5F;
  float stale_;
  float slope_;
};

}  // namespace

PoolLoad load_of(std::span<const pick::EndpointFacts> endpoints, const Limits& limits) {
  PoolLoad load;
  float sum = 0;
  const Fading weight_of(limits.stale);
  const float per_waiting = 1 / limits.waiting_threshold;
  const float per_kv = 1 / limits.kv_threshold;
  for (const pick::EndpointFacts& f : endpoints) {
    load.in_flight += f.in_flight;
    if (!f.healthy || f.draining) continue;
    ++load.usable;
    const float weight = weight_of(f.age_s);
    const float waiting = weight * f.waiting + static_cast<float>(f.unseen);
    sum += std::max(waiting * per_waiting, weight * f.kv_usage * per_kv);
  }
  if (load.usable > 0) load.saturation = sum / static_cast<float>(load.usable);
  return load;
}

Decision admit(const PoolLoad& load, pick::Criticality criticality, const Limits& limits) {
  if (load.usable == 0) return {Reason::kNoEndpoints, 1};
  if (limits.in_flight_max > 0 && load.in_flight >= limits.in_flight_max) return {Reason::kPoolFull, 1};
  if (criticality == pick::Criticality::kSheddable && load.saturation >= limits.shed_at) {
    // The fuller the pool, the longer until sheddable traffic has a chance.
    const float over = limits.shed_at > 0 ? load.saturation / limits.shed_at : 1;
    return {Reason::kSaturated,
            std::clamp<std::uint32_t>(static_cast<std::uint32_t>(std::min(over, 100.0F)), 1, kRetryAfterMax)};
  }
  return {};
}

Error error_of(const Decision& decision, std::string_view pool) {
  const std::string name(pool);
  switch (decision.reason) {
    case Reason::kNoEndpoints:
      return {Code::kUnavailable, "", "No endpoint of " + name + " is ready; try again later"};
    case Reason::kSaturated:
      return {Code::kExhausted, "",
              "The endpoints of " + name + " are saturated and this model is sheddable; try again later"};
    case Reason::kPoolFull:
      return {Code::kExhausted, "", name + " holds as many requests as it may; try again later"};
    case Reason::kNone:
      break;
  }
  TG_CHECK(decision.reason != Reason::kNone);
  return {};
}

std::string_view name_of(Reason reason) {
  switch (reason) {
    case Reason::kNone:
      return "";
    case Reason::kNoEndpoints:
      return "no-endpoints";
    case Reason::kSaturated:
      return "saturated";
    case Reason::kPoolFull:
      return "pool-full";
  }
  return "";
}

}  // namespace tidegate::admit
