// Writes model and adapter folders with random weights, small enough for the reference.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace oracle {

struct ModelPlan {
  std::string family = "LlamaForCausalLM";
  std::string dtype = "F32";  // F32, BF16 or F16
  std::size_t hidden = 48, inner = 80, layers = 3, heads = 6, kv_heads = 2, head_dim = 16, vocabulary = 97;
  bool tied = false;
  bool attention_bias = false, mlp_bias = false;
  std::string more;  // further entries of config.json, each with a comma before it
};

// Makes the folder anew.
void write_model(const std::string& folder, const ModelPlan& plan, std::uint64_t seed);

struct AdapterPlan {
  std::size_t rank = 4;
  double alpha = 8;
  bool rank_stabilised = false;
  std::vector<std::string> modules = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                                      "self_attn.o_proj", "mlp.gate_proj",    "mlp.up_proj",
                                      "mlp.down_proj"};
  std::vector<std::size_t> layers = {0, 1, 2};
};

void write_adapter(const std::string& folder, const ModelPlan& model, const AdapterPlan& plan,
                   std::uint64_t seed);

}  // namespace oracle
