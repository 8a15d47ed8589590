// config.json and generation_config.json: the shape of a transformer and the defaults of its sampling.
//
// Read are the Llama, Mistral, Qwen2 and Qwen3 families. What cannot be computed faithfully (quantised
// checkpoints, other activations, RoPE variants that change with the request) is refused with the field's
// name.
//
// Thread: pure.
// Source: huggingface/transformers models/*/configuration_*.py, modeling_rope_utils.py; vllm's choice for
// dynamic NTK.

#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidegate::weights {

enum class Family { kLlama, kMistral, kQwen2, kQwen3 };

enum class RopeKind { kPlain, kLinear, kDynamic, kYarn, kLlama3 };

// How positions become angles. Fields that a kind does not use keep their defaults.
struct Rope {
  RopeKind kind = RopeKind::kPlain;
  double theta = 10000;
  double factor = 1;
  double original_context = 0;                       // positions of the model before it was stretched
  double low_freq_factor = 1, high_freq_factor = 4;  // llama3
  double beta_fast = 32, beta_slow = 1;              // yarn
  double attention_factor = 1;                       // yarn: multiplies cosine and sine
  bool truncate = true;                              // yarn: bounds of the ramp are whole numbers
};

struct ModelConfig {
  Family family = Family::kLlama;
  std::size_t hidden = 0;
  std::size_t inner = 0;  // of the MLP
  std::size_t layers = 0;
  std::size_t heads = 0;
  std::size_t kv_heads = 0;
  std::size_t head_dim = 0;
  std::size_t vocabulary = 0;
  std::size_t context_max = 0;
  float norm_eps = 1e-6F;
  bool tied = false;  // no lm_head: the embedding serves as head
  bool qkv_bias = false;
  bool output_bias = false;  // of o_proj
  bool mlp_bias = false;
  bool head_norm = false;           // RMSNorm over each head of q and k
  std::vector<std::size_t> window;  // per layer: positions a token sees, itself included; 0 means all
  Rope rope;
  std::string dtype;  // as the file names it; may be empty
};

// Errors: kInvalid; the field is the key in config.json.
Result<ModelConfig> parse_model_config(std::string_view json);

// The inverse frequencies of a head's head_dim / 2 pairs.
std::vector<double> inverse_frequencies(const Rope& rope, std::size_t head_dim);

// Defaults that generation_config.json gives to requests that say nothing.
struct GenerationDefaults {
  std::optional<float> temperature, top_p, min_p, repetition_penalty;
  std::optional<int> top_k;
  std::optional<std::size_t> max_new_tokens;
};

// Values that are no numbers of the right range are left out, as they only ever were hints.
// Errors: kInvalid if the text is no JSON object.
Result<GenerationDefaults> parse_generation_config(std::string_view json);

}  // namespace tidegate::weights
