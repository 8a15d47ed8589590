// Fewer requests that wait in the engine, counting those we sent since it was last asked.

#pragma once

#include <span>

#include "gateway/pick/candidates.h"

namespace tidegate::pick {

void score_queue(const Candidates& candidates, std::span<float> out);

}  // namespace tidegate::pick
