// How many tokens a made-up answer has.
//
// Source: llm-d-inference-sim, as in reference model-server.md section 4.1: without a limit a normal draw,
// mean 40, deviation 20; with one, six buckets of 20, 30, 20, 5, 10 and 15 %, of equal width up to 120 tokens
// and of 20 each beyond, where the fourth takes the rest.
//
// Thread: pure; chance is handed in.

#pragma once

#include <cstddef>

#include "base/random.h"

namespace tidegate::latency {

// 1 .. max_tokens. A result of max_tokens means that the limit ends the answer, not the model.
std::size_t answer_length(std::size_t max_tokens, bool limited, Random& random);

}  // namespace tidegate::latency
