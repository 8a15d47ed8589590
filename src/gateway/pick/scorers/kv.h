// More free KV cache: a full one preempts and recomputes.

#pragma once

#include <span>

#include "gateway/pick/candidates.h"

namespace tidegate::pick {

void score_kv(const Candidates& candidates, std::span<float> out);

}  // namespace tidegate::pick
