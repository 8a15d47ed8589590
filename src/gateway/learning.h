// Prompts whose tokens are worth knowing: where engines tell what they hold, one that was seen before or is
// new is asked for at the engine it goes to, within a budget (kvfeed::Asker).
//
// Thread: one worker's.

#pragma once

#include "gateway/fleet/live.h"
#include "gateway/walk.h"
#include "net/task.h"

namespace tidegate::gateway {

// Requires: the prompt was looked up, and goes to `live`.
void learn_prompt(Walk& walk, const fleet::Live& live);

// The same before it goes anywhere: waits for the answer, at most Config::kv_tokenize_wait. True if it waited;
// then other requests were looked up meanwhile, and this one has to be again.
net::Task<bool> learn_first(Walk& walk, const fleet::Live& live);

}  // namespace tidegate::gateway
