// More of the prompt in the endpoint's KV cache, counted against the candidate that holds most: that one gets
// 1, however long the prompt is, because what is held need not be computed. A match shorter than
// `prefix_full_bytes` is worth proportionally less, as the few milliseconds it saves are. No credit for an
// endpoint above the load bound, so a popular prefix spreads instead of drowning its first holder; the bound
// is higher where more is held, as leaving a long prompt costs everybody's time. All equal when nobody holds
// anything: then the rest decides.

#pragma once

#include <span>

#include "gateway/pick/candidates.h"

namespace tidegate::pick {

void score_prefix(const Candidates& candidates, std::span<float> out);

}  // namespace tidegate::pick
