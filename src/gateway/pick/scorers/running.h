// Fewer requests in the engine's batch: each slows the others' tokens a little.

#pragma once

#include <span>

#include "gateway/pick/candidates.h"

namespace tidegate::pick {

void score_running(const Candidates& candidates, std::span<float> out);

}  // namespace tidegate::pick
