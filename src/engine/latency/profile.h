// How long a step takes on a given GPU with a given model, and how much memory is left for keys and values.
//
//   t = [t0 + W(N) + p * sum c(2s + c) + kappa * sum x + beta * D] * m(A) + slot loads
//
// for N new tokens in all, prefill chunks of c tokens that start at position s, D decoding sequences at
// contexts x, and A distinct adapters. Everything else (queueing, preemption, chunking, adapter waits) comes
// out of the real scheduler.
//
// Thread: values; pure.
// Source: reference model-server.md section 4.2, which says for each number whether it was measured or
// derived.

#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace tidegate::latency {

// One point of W: linear layers over `tokens` new tokens take `ms`.
struct LinearPoint {
  double tokens;
  double ms;
};

struct Profile {
  std::string_view name;

  double fixed_ms = 2.5;                // t0: what the CPU does per step
  std::array<LinearPoint, 9> linear{};  // rising; ends at the first zero; straight lines between and beyond
  double context_us = 0;                // kappa, per token of decode context
  double prefill_square_ms = 0;         // p, per token squared
  double sequence_ms = 0;               // beta, per decoding sequence
  double adapter_base = 2.0;            // m(n) = adapter_base + adapter_each * n; m(0) = 1
  double adapter_each = 0.019;
  double slot_load_ms = 7;       // CPU memory to slot
  double adapter_read_ms = 100;  // disk to CPU memory
  double jitter = 0.08;          // sigma of the log-normal factor on every step

  double gpu_gib = 80;
  double weights_gib = 12.6;
  std::size_t kv_bytes_per_token = 512 * 1024;
  std::size_t context_max = 4096;

  double time_scale = 1;  // everything modelled times this, adapter reads included

  // Simple constants in the manner of llm-d-inference-sim, added to the above.
  double prefill_fixed_ms = 0;  // per step that prefills
  double prefill_token_ms = 0;  // per prefilled token
  double load_factor = 1;       // the whole step at a full batch, over a batch of one
};

// What one step is made of.
struct StepShape {
  struct Chunk {
    std::size_t start;
    std::size_t tokens;
  };
  std::vector<Chunk> prefill = {};
  std::size_t decodes = 0;
  std::size_t decode_context = 0;  // sum over the decoding sequences
  std::size_t adapters = 0;        // distinct ones
  std::size_t slot_loads = 0;
  std::size_t sequences_max = 1;
};

// Without jitter, in milliseconds.
double step_ms(const Profile& profile, const StepShape& shape);

std::span<const Profile> profiles();

// Errors: kNotFound, naming what there is.
Result<Profile> find_profile(std::string_view name);

// The profile whose model is most like `model`, on an A10; for manifests that name a model and no profile.
Profile profile_for_model(std::string_view model);

// KV blocks that fit beside weights and adapter slots, the null block included; at least enough for 2,048
// tokens. `gpus` share weights and cache (--tensor-parallel-size).
std::size_t kv_blocks(const Profile& profile, double utilization, std::size_t block_tokens,
                      std::size_t adapter_slots, std::size_t adapter_rank, std::size_t gpus);

}  // namespace tidegate::latency
