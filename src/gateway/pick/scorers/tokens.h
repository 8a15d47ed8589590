// Less prompt to compute before this request's answer could begin: what we sent there that has no answer yet
// and was not held in the KV cache, and of this request's own prompt what is not held.

#pragma once

#include <span>

#include "gateway/pick/candidates.h"

namespace tidegate::pick {

void score_tokens(const Candidates& candidates, std::span<float> out);

}  // namespace tidegate::pick
