// `tidegate engine --calibrate URL`: measures a running server from outside, fits the simulated engine's
// step model to it, holds the model against requests that the fit has not seen, and prints the flags with
// which `tidegate engine --simulate` takes that server's time.
//
// Thread: takes the calling one.
// Source: reference model-server.md section 4.2.

#pragma once

#include "base/result.h"
#include "engine/serve/flags.h"

namespace tidegate::cli {

// `flags.calibrate` names the server. Errors: a server that cannot be reached or refuses what is asked.
Result<void> calibrate(const serve::Flags& flags);

}  // namespace tidegate::cli
