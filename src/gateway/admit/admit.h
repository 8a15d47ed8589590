// Whether a request may go on now: from the pool's saturation, the request's criticality and a bound on what
// is in flight.
//
// Saturation of an endpoint is max(waiting / waiting_threshold, kv / kv_threshold); of a pool the mean over
// its usable endpoints; it may pass 1. Waiting includes dispatches that the last scrape cannot show, so a
// burst between two scrapes is seen. A scrape that is old counts for what it said and fades with age: missing
// metrics never stop traffic.
//
// Only sheddable requests are shed; others wait, in the gateway while no endpoint has room (flow).
//
// Source: Gateway API Inference Extension, utilization detector (thresholds 5 waiting and 0.8 KV use).
// Thread: pure.

#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"
#include "gateway/pick/criticality.h"
#include "gateway/pick/endpoint.h"

namespace tidegate::admit {

struct Limits {
  float waiting_threshold = 5;
  float kv_threshold = 0.8F;
  float shed_at = 1;                          // saturation from which sheddable requests are shed
  std::uint32_t in_flight_max = 10'000;       // per pool, over all workers; 0 means no bound
  Duration stale = std::chrono::seconds(10);  // a scrape of this age says nothing any more
};

struct PoolLoad {
  float saturation = 0;
  std::uint32_t in_flight = 0;
  std::uint32_t usable = 0;  // endpoints that are healthy and not draining
};

// In one pass over the facts that the picker uses too.
PoolLoad load_of(std::span<const pick::EndpointFacts> endpoints, const Limits& limits);

enum class Reason : std::uint8_t { kNone, kNoEndpoints, kSaturated, kPoolFull };

struct Decision {
  Reason reason = Reason::kNone;
  std::uint32_t retry_after_s = 0;  // for the Retry-After header of a refusal
  bool accepted() const { return reason == Reason::kNone; }
};

Decision admit(const PoolLoad& load, pick::Criticality criticality, const Limits& limits);

// The refusal as an Error: kUnavailable (503) without endpoints, kExhausted (429) otherwise.
// Requires: !decision.accepted().
Error error_of(const Decision& decision, std::string_view pool);

// For the header x-tidegate-refused and the metric's label: "no-endpoints", "saturated", "pool-full".
std::string_view name_of(Reason reason);

}  // namespace tidegate::admit
