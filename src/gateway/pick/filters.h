// Which endpoints may serve a request at all. Each filter that would leave nothing is passed over, but for
// the first: an endpoint that this request failed on or that drains is never asked.
//
//   must      not draining, not tried by this request, not full (requests_max)
//   healthy   else all: when everything looks down, trying costs less than refusing
//   ejected   those whose answers fail, unless they are more than ejected_share_max of what is left
//   session   where a session is pinned: the endpoint it is at home on, else all
//   headroom  sheddable requests only: below the waiting and KV bounds, else all (admission does the
//   shedding)
//
// Thread: pure.

#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gateway/pick/criticality.h"
#include "gateway/pick/endpoint.h"
#include "gateway/pick/settings.h"

namespace tidegate::pick {

// Replaces `kept` by the indices of the facts that pass, in order.
void filter(std::span<const EndpointFacts> facts, Criticality criticality, const Settings& settings,
            std::vector<std::uint32_t>& kept);

}  // namespace tidegate::pick
