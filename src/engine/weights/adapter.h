// LoRA adapters as PEFT saves them: adapter_config.json beside adapter_model.safetensors.
//
// Accepted is what vLLM accepts: plain LoRA on the attention and MLP projections. DoRA, biases, saved
// modules, embeddings and unknown modules are refused, as is a rank over the limit; a pickle (.bin) is never
// opened.
//
// Thread: pure but for the files; any thread.
// Source: huggingface/peft tuners/lora/config.py, docs checkpoint.md; vllm lora/peft_helper.py.

#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/weights/checkpoint.h"
#include "engine/weights/model_config.h"

namespace tidegate::weights {

// The matrices of a layer that adapters may change, in the order in which they are used.
enum class Projection : std::uint8_t { kQ, kK, kV, kO, kGate, kUp, kDown };
inline constexpr std::size_t kProjections = 7;

// "self_attn.q_proj" and so on.
std::string_view projection_name(Projection projection);

struct Size {
  std::size_t out = 0, in = 0;
};
Size projection_size(const ModelConfig& config, Projection projection);

struct AdapterConfig {
  std::size_t rank = 8;
  bool ranks_vary = false;  // rank_pattern gives some modules others
  double alpha = 8;
  bool rank_stabilised = false;                 // scale alpha / sqrt(r) rather than alpha / r
  std::map<std::string, double> alpha_pattern;  // by the end of a module's name
};

// Errors: kInvalid; the field is the key in adapter_config.json.
Result<AdapterConfig> parse_adapter_config(std::string_view json);

// One pair of matrices: y += scale * B (A x).
struct AdapterPair {
  std::size_t rank = 0;
  float scale = 1;
  const Tensor* a = nullptr;  // [rank, in]
  const Tensor* b = nullptr;  // [out, rank]
};

using AdapterLayer = std::array<std::optional<AdapterPair>, kProjections>;

// An adapter's files, checked against the model. Tensors point into `checkpoint`.
struct AdapterFiles {
  Checkpoint checkpoint;
  std::vector<AdapterLayer> layers;
  std::size_t rank = 0;  // the largest
  std::string digest;    // SHA-256 of both files, lower-case hex
};

// Errors: kNotFound (no such folder or file), kInvalid (anything in it), with vLLM's wording for a rank over
// the limit.
Result<AdapterFiles> open_adapter(const std::string& folder, const ModelConfig& config, std::size_t rank_max);

}  // namespace tidegate::weights
