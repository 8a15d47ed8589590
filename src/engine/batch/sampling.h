// How the next token of a request is drawn: the client's fields, defaults applied, checked and in native
// types.
//
// Source: vLLM sampling_params.py; the order of application is in reference model-server.md section 7.
//
// Thread: a value, immutable once its request is submitted.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace tidegate::guide {
class Guide;
}

namespace tidegate::batch {

using Token = std::int32_t;

struct Sampling {
  float temperature = 1;   // below 1e-5: greedy
  float top_p = 1;         // (0, 1]
  std::int32_t top_k = 0;  // 0 or -1: off
  float min_p = 0;
  float presence_penalty = 0;
  float frequency_penalty = 0;
  float repetition_penalty = 1;

  // Key of the counter-based generator: (seed, position) gives the draw, whatever else is in the batch.
  // Choice i of a request has seed + i. Always set; drawn by the front end where the client gave none.
  std::uint64_t seed = 0;
  bool seed_given = false;

  std::int32_t logprobs = -1;         // -1: none; k: the chosen token and the k most likely
  std::int32_t prompt_logprobs = -1;  // the same for prompt tokens

  std::size_t max_tokens = 16;        // the stepper ends the request there; always set
  bool max_tokens_given = true;       // false: the client set no limit and the context is the limit
  std::size_t min_tokens = 0;         // until then EOS and stop ids are masked
  bool ignore_eos = false;            // EOS is drawn like any token and ends nothing
  std::vector<Token> stop_token_ids;  // besides the tokenizer's EOS

  std::vector<std::pair<Token, float>> logit_bias;  // clamped to +-100
  std::vector<Token> allowed_tokens;                // empty: all
  std::vector<std::vector<Token>> bad_words;        // token sequences never to be completed

  std::shared_ptr<guide::Guide> guide;      // what the output must be; null: anything
  std::shared_ptr<std::size_t> guide_work;  // guide::kRequestWork, shared by the request's sequences
};

}  // namespace tidegate::batch
