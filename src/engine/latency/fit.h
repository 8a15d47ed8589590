// The step-duration model of profile.h fitted to what was seen of a running engine from outside.
//
// Least squares over relative errors with no figure below zero: durations of 5 ms and of 5 s weigh alike. What
// cannot be told apart from outside is not: fixed_ms is part of the linear points, and what a request costs
// before and after its steps is in prefill_fixed_ms.
//
// Thread: pure functions.
// Source: reference model-server.md section 4.2, "Calibration".

#pragma once

#include <cstddef>
#include <vector>

#include "base/result.h"
#include "engine/latency/profile.h"

namespace tidegate::latency {

// Steps in which `sequences` decoded, with `context` tokens behind each on the average.
struct DecodeSeen {
  std::size_t sequences = 1;
  double context = 0;
  double step_ms = 0;
};

// A prompt of `tokens` that had the engine for itself, until its first token.
struct PrefillSeen {
  std::size_t tokens = 1;
  double ms = 0;
};

// Steps with `adapters` distinct ones, as a multiple of the same steps without.
struct AdapterSeen {
  std::size_t adapters = 1;
  double factor = 1;
};

struct Seen {
  std::vector<DecodeSeen> decodes = {};
  std::vector<PrefillSeen> prefills = {};
  std::vector<AdapterSeen> adapters = {};
  std::size_t step_tokens_max = 2048;  // how the engine cuts prompts
};

// linear, context_us, prefill_square_ms, sequence_ms, prefill_fixed_ms, and adapter_base and adapter_each if
// adapters were seen; the rest of `start` stays. Errors: kInvalid where there is too little to fit.
Result<Profile> fit(const Seen& seen, Profile start);

// What the profile says of the same.
double decode_ms(const Profile& profile, const DecodeSeen& decode);
double prefill_ms(const Profile& profile, std::size_t tokens, std::size_t step_tokens_max);

// Sigma of the log-normal factor behind step times of one kind; from the middle half, so that pauses of the
// observer count little.
double jitter_of(std::vector<double> step_ms);

}  // namespace tidegate::latency
