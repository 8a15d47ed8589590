// The requested adapter's place: resident 1, a free slot to load it into 0.5, none 0. No credit for an
// endpoint above the load bound. All equal when the base model is asked for.

#pragma once

#include <span>

#include "gateway/pick/candidates.h"

namespace tidegate::pick {

void score_lora(const Candidates& candidates, std::span<float> out);

}  // namespace tidegate::pick
