#include "random_model.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "engine/weights/testing/write_safetensors.h"

namespace oracle {
namespace {

using tidegate::weights::DType;
using tidegate::weights::testing::RawTensor;
using Tensors = std::map<std::string, RawTensor>;

std::uint16_t bf16(float f) {
  std::uint32_t bits;
  std::memcpy(&bits, &f, 4);
  return static_cast<std::uint16_t>((bits + 0x8000) >> 16);
}

// Normal halves only; that is all the weights here are.
std::uint16_t f16(float f) {
  std::uint32_t bits;
  std::memcpy(&bits, &f, 4);
  const int exponent = static_cast<int>((bits >> 23) & 255) - 127 + 15;
  const std::uint32_t sign = (bits >> 16) & 0x8000;
  if (exponent <= 0 || exponent >= 31) return static_cast<std::uint16_t>(sign);
  return static_cast<std::uint16_t>(sign | static_cast<std::uint32_t>(exponent << 10) |
                                    ((bits >> 13) & 1023));
}

class Writer {
 public:
  Writer(const std::string& dtype, std::uint64_t seed) : random_(seed) {
    dtype_ = *tidegate::weights::dtype_of(dtype);
  }

  void add(const std::string& name, std::vector<std::size_t> shape, double mean, double spread) {
    std::size_t count = 1;
    for (const std::size_t side : shape) count *= side;
    std::normal_distribution<double> normal(mean, spread);
    RawTensor tensor{dtype_, std::move(shape), {}};
    for (std::size_t i = 0; i < count; ++i) {
      const auto f = static_cast<float>(normal(random_));
      if (dtype_ == DType::kF32) {
        tensor.bytes.append(reinterpret_cast<const char*>(&f), 4);
      } else {
        const std::uint16_t h = dtype_ == DType::kBf16 ? bf16(f) : f16(f);
        tensor.bytes.append(reinterpret_cast<const char*>(&h), 2);
      }
    }
    tensors_[name] = std::move(tensor);
  }

  void matrix(const std::string& name, std::size_t out, std::size_t in) {
    add(name, {out, in}, 0, 1.2 / std::sqrt(static_cast<double>(in)));
  }

  void write(const std::string& path) const {
    tidegate::weights::testing::write_file(path, tidegate::weights::testing::safetensors_bytes(tensors_));
  }

 private:
  std::mt19937_64 random_;
  DType dtype_ = DType::kF32;
  Tensors tensors_;
};

std::pair<std::size_t, std::size_t> size_of(const ModelPlan& m, const std::string& module) {
  const std::size_t q = m.heads * m.head_dim, kv = m.kv_heads * m.head_dim;
  if (module == "self_attn.q_proj") return {q, m.hidden};
  if (module == "self_attn.k_proj" || module == "self_attn.v_proj") return {kv, m.hidden};
  if (module == "self_attn.o_proj") return {m.hidden, q};
  if (module == "mlp.down_proj") return {m.hidden, m.inner};
  return {m.inner, m.hidden};
}

void new_folder(const std::string& folder) {
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
}

std::string entry(const char* key, std::size_t value) {
  return std::string(",\"") + key + "\":" + std::to_string(value);
}

}  // namespace

void write_model(const std::string& folder, const ModelPlan& m, std::uint64_t seed) {
  new_folder(folder);
  const bool qwen2 = m.family == "Qwen2ForCausalLM", qwen3 = m.family == "Qwen3ForCausalLM";
  Writer w(m.dtype, seed);
  w.add("model.embed_tokens.weight", {m.vocabulary, m.hidden}, 0, 1);
  w.add("model.norm.weight", {m.hidden}, 1, 0.2);
  if (!m.tied) w.matrix("lm_head.weight", m.vocabulary, m.hidden);
  for (std::size_t l = 0; l < m.layers; ++l) {
    const std::string p = "model.layers." + std::to_string(l) + ".";
    w.add(p + "input_layernorm.weight", {m.hidden}, 1, 0.2);
    w.add(p + "post_attention_layernorm.weight", {m.hidden}, 1, 0.2);
    if (qwen3) {
      w.add(p + "self_attn.q_norm.weight", {m.head_dim}, 1, 0.2);
      w.add(p + "self_attn.k_norm.weight", {m.head_dim}, 1, 0.2);
    }
    for (const std::string& module : AdapterPlan().modules) {
      const auto [out, in] = size_of(m, module);
      w.matrix(p + module + ".weight", out, in);
      const bool attention = module.starts_with("self_attn");
      const bool bias = attention ? (qwen2 ? module != "self_attn.o_proj" : m.attention_bias) : m.mlp_bias;
      if (bias) w.add(p + module + ".bias", {out}, 0, 0.3);
    }
  }
  w.write(folder + "/model.safetensors");
  std::ofstream(folder + "/config.json")
      << "{\"architectures\":[\"" << m.family << "\"],\"rms_norm_eps\":1e-5" << entry("hidden_size", m.hidden)
      << entry("intermediate_size", m.inner) << entry("num_hidden_layers", m.layers)
      << entry("num_attention_heads", m.heads) << entry("num_key_value_heads", m.kv_heads)
      << entry("head_dim", m.head_dim) << entry("vocab_size", m.vocabulary)
      << ",\"tie_word_embeddings\":" << (m.tied ? "true" : "false")
      << ",\"attention_bias\":" << (m.attention_bias ? "true" : "false")
      << ",\"mlp_bias\":" << (m.mlp_bias ? "true" : "false") << m.more
      << (m.more.find("max_position") == std::string::npos ? ",\"max_position_embeddings\":512}" : "}");
}

void write_adapter(const std::string& folder, const ModelPlan& model, const AdapterPlan& plan,
                   std::uint64_t seed) {
  new_folder(folder);
  Writer w("F32", seed);
  for (const std::size_t layer : plan.layers) {
    for (const std::string& module : plan.modules) {
      const auto [out, in] = size_of(model, module);
      const std::string name = "base_model.model.model.layers." + std::to_string(layer) + "." + module;
      w.add(name + ".lora_A.weight", {plan.rank, in}, 0, 0.5 / std::sqrt(static_cast<double>(in)));
      w.add(name + ".lora_B.weight", {out, plan.rank}, 0, 0.2);
    }
  }
  w.write(folder + "/adapter_model.safetensors");
  std::ofstream(folder + "/adapter_config.json")
      << "{\"peft_type\":\"LORA\",\"r\":" << plan.rank << ",\"lora_alpha\":" << plan.alpha
      << ",\"use_rslora\":" << (plan.rank_stabilised ? "true" : "false") << ",\"bias\":\"none\"}";
}

}  // namespace oracle
