#include "random_folder.h"

#include <bit>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "base/random.h"

namespace bench {
namespace {

struct Entry {
  std::string name;
  std::size_t rows, columns;  // columns 0: a vector of ones
};

// bf16 numbers of either sign between s and 2 s, where s is about 0.6 / sqrt(columns).
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : random_(seed) {}

  void fill(std::vector<std::uint16_t>& to, std::size_t columns) {
    const int down = std::bit_width(columns) / 2 + 1;
    const auto exponent = static_cast<std::uint64_t>(127 - down) << 7;
    const std::uint64_t same = exponent * 0x0001'0001'0001'0001U;
    for (std::size_t i = 0; i < to.size(); i += 4) {
      const std::uint64_t four = (random_.next() & 0x807F'807F'807F'807FU) | same;
      for (std::size_t j = 0; j < 4 && i + j < to.size(); ++j)
        to[i + j] = static_cast<std::uint16_t>(four >> (16 * j));
    }
  }

 private:
  tidegate::Random random_;
};

void write(const std::string& path, const std::vector<Entry>& entries, std::uint64_t seed) {
  std::string header = "{";
  std::size_t at = 0;
  for (const Entry& e : entries) {
    const std::size_t bytes = 2 * e.rows * (e.columns > 0 ? e.columns : 1);
    header += (header.size() > 1 ? ",\"" : "\"") + e.name + R"(":{"dtype":"BF16","shape":[)" +
              std::to_string(e.rows) + (e.columns > 0 ? "," + std::to_string(e.columns) : "") +
              "],\"data_offsets\":[" + std::to_string(at) + "," + std::to_string(at + bytes) + "]}";
    at += bytes;
  }
  header += "}";
  header.resize((header.size() + 71) / 64 * 64 - 8, ' ');
  std::ofstream file(path, std::ios::binary);
  for (int i = 0; i < 8; ++i) file.put(static_cast<char>(header.size() >> (8 * i)));
  file << header;
  Numbers numbers(seed);
  std::vector<std::uint16_t> row;
  for (const Entry& e : entries) {
    row.assign(e.columns > 0 ? e.columns : e.rows, 0x3F80);
    for (std::size_t r = 0; r < (e.columns > 0 ? e.rows : 1); ++r) {
      if (e.columns > 0) numbers.fill(row, e.columns);
      file.write(reinterpret_cast<const char*>(row.data()), static_cast<std::streamsize>(2 * row.size()));
    }
  }
  file.flush();
  if (!file) throw std::runtime_error("cannot write " + path + "; is the disk full?");
}

struct Module {
  const char* name;
  std::size_t out, in;
};

std::vector<Module> modules(const Shape& s) {
  const std::size_t q = s.heads * s.head_dim, kv = s.kv_heads * s.head_dim;
  return {{"self_attn.q_proj", q, s.hidden},    {"self_attn.k_proj", kv, s.hidden},
          {"self_attn.v_proj", kv, s.hidden},   {"self_attn.o_proj", s.hidden, q},
          {"mlp.gate_proj", s.inner, s.hidden}, {"mlp.up_proj", s.inner, s.hidden},
          {"mlp.down_proj", s.hidden, s.inner}};
}

}  // namespace

void write_model(const std::string& folder, const Shape& s, std::uint64_t seed) {
  std::filesystem::create_directories(folder);
  std::vector<Entry> entries = {{"model.embed_tokens.weight", s.vocabulary, s.hidden},
                                {"model.norm.weight", s.hidden, 0}};
  for (std::size_t l = 0; l < s.layers; ++l) {
    const std::string prefix = "model.layers." + std::to_string(l) + ".";
    for (const char* norm : {"input_layernorm", "post_attention_layernorm"})
      entries.push_back({prefix + norm + ".weight", s.hidden, 0});
    for (const Module& m : modules(s)) entries.push_back({prefix + m.name + ".weight", m.out, m.in});
  }
  write(folder + "/model.safetensors", entries, seed);
  std::ofstream(folder + "/config.json")
      << R"({"architectures":["LlamaForCausalLM"],"rms_norm_eps":1e-5,"tie_word_embeddings":true,)"
      << R"("max_position_embeddings":8192,"rope_theta":500000.0,"torch_dtype":"bfloat16","hidden_size":)"
      << s.hidden << ",\"intermediate_size\":" << s.inner << ",\"num_hidden_layers\":" << s.layers
      << ",\"num_attention_heads\":" << s.heads << ",\"num_key_value_heads\":" << s.kv_heads
      << ",\"head_dim\":" << s.head_dim << ",\"vocab_size\":" << s.vocabulary << "}";
}

void write_adapter(const std::string& folder, const Shape& s, std::size_t rank, std::uint64_t seed) {
  std::filesystem::create_directories(folder);
  std::vector<Entry> entries;
  for (std::size_t l = 0; l < s.layers; ++l) {
    for (const Module& m : modules(s)) {
      const std::string name = "base_model.model.model.layers." + std::to_string(l) + "." + m.name;
      entries.push_back({name + ".lora_A.weight", rank, m.in});
      entries.push_back({name + ".lora_B.weight", m.out, rank});
    }
  }
  write(folder + "/adapter_model.safetensors", entries, seed);
  std::ofstream(folder + "/adapter_config.json")
      << R"({"peft_type":"LORA","bias":"none","target_modules":"all-linear","lora_alpha":)" << rank
      << ",\"r\":" << rank << "}";
}

}  // namespace bench
