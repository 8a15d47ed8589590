// Ways to choose an endpoint, ours and those it is held against.
//
// The reference is the Gateway API Inference Extension's default profile: queue-scorer 2,
// kv-cache-utilization-scorer 2, prefix-cache-scorer 3, max-score-picker, over what was scraped.
//
// Thread: pure.
// Source: kubernetes-sigs/gateway-api-inference-extension, pkg/epp/scheduling; reference inference-gateway.md
// section 4.

#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/random.h"
#include "gateway/pick/endpoint.h"

namespace tidegate::simulate {

enum class Router : std::uint8_t { kRoundRobin, kLeastRequest, kReference, kOurs };
std::string_view name_of(Router router);

// For all but kOurs, which is pick::Picker. `turn` counts the requests; `prompt_bytes` is the prompt's whole
// blocks. Requires: facts are not empty.
std::size_t choose(Router router, std::span<const pick::EndpointFacts> facts, std::uint64_t turn,
                   std::uint32_t prompt_bytes, Random& random);

}  // namespace tidegate::simulate
