// Prompts whose tokens are worth knowing: where engines tell what they hold, one that was seen before or is
// new is asked for at the engine it goes to, within a budget (kvfeed::Asker).
//
// Thread: one worker's.

#pragma once

#include "gateway/fleet/live.h"
#include "gateway/walk.h"

namespace tidegate::gateway {

// Requires: the prompt was looked up, and goes to `live`.
void learn_prompt(Walk& walk, const fleet::Live& live);

}  // namespace tidegate::gateway
