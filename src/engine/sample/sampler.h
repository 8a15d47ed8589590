// From logits to the next token, and what the model thought of it.
//
// Order, as vLLM v1: what a guide allows -> raw log-probabilities (reported) -> allowed tokens -> bad words
// -> min_tokens' mask and bias -> penalties -> temperature -> min_p -> top_k -> top_p -> draw. Below
// temperature 1e-5 the largest logit is taken instead of the last five; among equals the lowest id.
//
// The draw is a pure function of (logits, settings, history, seed, position): a counter-based generator gives
// one number per (seed, position), so that a seed means identical text whatever else is in the batch, after a
// preemption too.
//
// Thread: a Sampler is memory that one thread reuses; draws with different Samplers may run at once.
// Source: vllm v1/sample/sampler.py, v1/sample/ops.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "engine/batch/model.h"
#include "engine/batch/sampling.h"
#include "engine/guide/guide.h"
#include "engine/ops/kernels.h"

namespace tidegate::sample {

using batch::Token;

// What a draw depends on besides the logits.
struct Draw {
  const batch::Sampling* sampling = nullptr;
  std::span<const Token> history;  // prompt and drawn tokens; the draw is for position history.size()
  std::size_t prompt_tokens = 0;
  std::span<const Token> eos;
  const guide::Mask* guide = nullptr;  // tokens beside these are as good as absent
};

// Uniform in [0, 1) for a seed and a position.
double uniform(std::uint64_t seed, std::uint64_t position);

class Sampler {
 public:
  // Changes `logits`, one per token of the vocabulary. NaN counts as minus infinity. If the settings leave no
  // token, the likeliest of all is taken, or of those that the guide allows. Requires: logits is not empty,
  // and the guide allows a token of theirs.
  batch::Sample draw(std::span<float> logits, const Draw& draw, const ops::Kernels& kernels);

  // What the model says of `actual`, and the `count` likeliest tokens.
  void describe(std::span<const float> logits, Token actual, std::int32_t count, const ops::Kernels& kernels,
                batch::TokenLogprob& about, std::vector<batch::TokenLogprob>& top);

 private:
  struct Candidate {
    float weight;  // exp((logit - largest) / temperature)
    Token token;
  };

  void mask(std::span<float> logits, const Draw& draw);
  void penalise(std::span<float> logits, const Draw& draw);
  Token pick(std::span<float> logits, const Draw& draw, const ops::Kernels& kernels);
  void keep_top_p(double p);

  std::vector<float> raw_, weights_;
  std::vector<Candidate> candidates_;
  std::vector<std::uint32_t> drawn_,
      seen_;  // per token: times in the output; whether anywhere. Zero between calls.
  std::vector<batch::TokenLogprob> best_;
};

}  // namespace tidegate::sample
