// Fewer of our own requests, which we know even when no scrape arrives.

#pragma once

#include <span>

#include "gateway/pick/candidates.h"

namespace tidegate::pick {

void score_in_flight(const Candidates& candidates, std::span<float> out);

}  // namespace tidegate::pick
