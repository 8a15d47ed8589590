// The figures of a profile that say how long a step takes, as one line of text: what `tidegate engine --calibrate`
// prints and `--step-model` reads.
//
//   fixed-ms=2.5,linear-ms=1:28.03/128:31.8/512:103/2048:395,context-us=1.1,square-ms=4e-06,sequence-ms=0.06
//
// Thread: pure functions.

#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "engine/latency/profile.h"

namespace tidegate::latency {

// `profile` with the figures that `text` names; others stay. Errors: kInvalid, naming what there is.
Result<Profile> with_step_model(Profile profile, std::string_view text);

// All of them, so that reading gives the same durations for any profile it is read into.
std::string step_model_text(const Profile& profile);

}  // namespace tidegate::latency
