// The endpoint that the request's session is at home on, unless it is above the load bound.

#pragma once

#include <span>

#include "gateway/pick/candidates.h"

namespace tidegate::pick {

void score_session(const Candidates& candidates, std::span<float> out);

}  // namespace tidegate::pick
