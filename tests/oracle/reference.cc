#include "reference.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace oracle {
namespace {

using nlohmann::json;

const double kPi = std::acos(-1.0);

std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

double half(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31, fraction = bits & 1023;
  const double size = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return bits & 0x8000 ? -size : size;
}

double element(const std::string& dtype, const char* at) {
  if (dtype == "F32") {
    float f;
    std::memcpy(&f, at, 4);
    return f;
  }
  std::uint16_t h;
  std::memcpy(&h, at, 2);
  if (dtype == "F16") return half(h);
  const std::uint32_t wide = static_cast<std::uint32_t>(h) << 16;
  float f;
  std::memcpy(&f, &wide, 4);
  return f;
}

// The inverse frequencies, each kind written out from its published formula.
std::vector<double> angles(const json& config, std::size_t d, double& scale) {
  const json none;
  const json& rope =
      config.contains("rope_scaling") && !config["rope_scaling"].is_null() ? config["rope_scaling"] : none;
  double theta = config.value("rope_theta", 10000.0);
  const std::string kind =
      rope.is_null() ? "default" : rope.value("rope_type", rope.value("type", "default"));
  const double factor = rope.is_null() ? 1 : rope.value("factor", 1.0);
  const double context = config.value("max_position_embeddings", 2048.0);
  if (kind == "dynamic") {
    const double length = context * factor;
    theta = theta * std::pow(factor * length / context - (factor - 1), double(d) / double(d - 2));
  }
  std::vector<double> out;
  for (std::size_t i = 0; i < d; i += 2) out.push_back(1.0 / std::pow(theta, double(i) / double(d)));
  if (kind == "linear") {
    for (double& f : out) f /= factor;
  }
  if (kind == "llama3") {
    const double old = rope["original_max_position_embeddings"], low = rope["low_freq_factor"],
                 high = rope["high_freq_factor"];
    for (double& f : out) {
      const double wave = 2 * kPi / f;
      if (wave > old / low) {
        f /= factor;
      } else if (wave >= old / high) {
        const double smooth = (old / wave - low) / (high - low);
        f = (1 - smooth) * f / factor + smooth * f;
      }
    }
  }
  if (kind == "yarn") {
    scale = 0.1 * std::log(factor) + 1;
    const double old = rope.value("original_max_position_embeddings", context);
    const auto dimension = [&](double turns) {
      return d * std::log(old / (turns * 2 * kPi)) / (2 * std::log(theta));
    };
    const double low = std::max(std::floor(dimension(rope.value("beta_fast", 32.0))), 0.0);
    const double high = std::min(std::ceil(dimension(rope.value("beta_slow", 1.0))), double(d) - 1);
    for (std::size_t i = 0; i < out.size(); ++i) {
      const double ramp = std::min(1.0, std::max(0.0, (double(i) - low) / (high - low)));
      out[i] = (out[i] / factor) * ramp + out[i] * (1 - ramp);
    }
  }
  return out;
}

}  // namespace

std::map<std::string, Array> read_tensors(const std::string& path) {
  const std::string bytes = slurp(path);
  std::uint64_t size = 0;
  std::memcpy(&size, bytes.data(), 8);
  const json header = json::parse(bytes.substr(8, size));
  std::map<std::string, Array> out;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    Array array;
    std::size_t count = 1;
    for (const auto& side : entry["shape"]) {
      array.shape.push_back(side);
      count *= array.shape.back();
    }
    const std::string dtype = entry["dtype"];
    const std::size_t width = dtype == "F32" ? 4 : 2;
    const char* at = bytes.data() + 8 + size + entry["data_offsets"][0].get<std::size_t>();
    for (std::size_t i = 0; i < count; ++i) array.values.push_back(element(dtype, at + i * width));
    out[name] = std::move(array);
  }
  return out;
}

Reference::Reference(const std::string& folder) {
  const json config = json::parse(slurp(folder + "/config.json"));
  const std::string family = config["architectures"][0];
  shape_.hidden = config["hidden_size"];
  shape_.inner = config["intermediate_size"];
  shape_.layers = config["num_hidden_layers"];
  shape_.heads = config["num_attention_heads"];
  shape_.kv_heads = config["num_key_value_heads"];
  shape_.head_dim = config.value("head_dim", shape_.hidden / shape_.heads);
  shape_.vocabulary = config["vocab_size"];
  shape_.eps = config["rms_norm_eps"];
  shape_.tied = config.value("tie_word_embeddings", false);
  shape_.head_norm = family == "Qwen3ForCausalLM";
  shape_.window.assign(shape_.layers, 0);
  if (family == "MistralForCausalLM" && config.contains("sliding_window") &&
      !config["sliding_window"].is_null()) {
    shape_.window.assign(shape_.layers, config["sliding_window"]);
  }
  if (family == "Qwen2ForCausalLM" && config.value("use_sliding_window", false)) {
    for (std::size_t i = config["max_window_layers"]; i < shape_.layers; ++i)
      shape_.window[i] = config["sliding_window"];
  }
  frequencies_ = angles(config, shape_.head_dim, turn_scale_);
  tensors_ = read_tensors(folder + "/model.safetensors");
}

void Reference::merge(const std::string& folder) {
  const json config = json::parse(slurp(folder + "/adapter_config.json"));
  const auto pairs = read_tensors(folder + "/adapter_model.safetensors");
  const std::string start = "base_model.model.", a_end = ".lora_A.weight";
  for (const auto& [name, a] : pairs) {
    if (name.size() < a_end.size() || name.substr(name.size() - a_end.size()) != a_end) continue;
    const std::string module = name.substr(start.size(), name.size() - start.size() - a_end.size());
    const Array& b = pairs.at(start + module + ".lora_B.weight");
    Array& w = tensors_.at(module + ".weight");
    const std::size_t rank = a.shape[0], in = a.shape[1], out = b.shape[0];
    const double alpha = config["lora_alpha"];
    const double scale =
        config.value("use_rslora", false) ? alpha / std::sqrt(double(rank)) : alpha / double(rank);
    for (std::size_t o = 0; o < out; ++o) {
      for (std::size_t i = 0; i < in; ++i) {
        double sum = 0;
        for (std::size_t r = 0; r < rank; ++r) sum += b.values[o * rank + r] * a.values[r * in + i];
        w.values[o * in + i] += scale * sum;
      }
    }
  }
}

void Reference::quantise() {
  for (auto& [name, array] : tensors_) {
    if (array.shape.size() != 2) continue;
    for (std::size_t row = 0; row < array.shape[0]; ++row) {
      double* w = array.values.data() + row * array.shape[1];
      double most = 0;
      for (std::size_t i = 0; i < array.shape[1]; ++i) most = std::max(most, std::fabs(w[i]));
      for (std::size_t i = 0; i < array.shape[1] && most > 0; ++i)
        w[i] = std::nearbyint(w[i] * 127 / most) * most / 127;
    }
  }
}

Values Reference::linear(const std::string& module, const Values& x) const {
  const Array& w = tensors_.at(module + ".weight");
  Values y(w.shape[0], 0.0);
  for (std::size_t o = 0; o < w.shape[0]; ++o) {
    for (std::size_t i = 0; i < w.shape[1]; ++i) y[o] += w.values[o * w.shape[1] + i] * x[i];
  }
  const auto bias = tensors_.find(module + ".bias");
  if (bias != tensors_.end()) {
    for (std::size_t o = 0; o < y.size(); ++o) y[o] += bias->second.values[o];
  }
  return y;
}

Values Reference::norm(const Values& x, const Values& weight) const {
  double squares = 0;
  for (const double v : x) squares += v * v;
  const double root = std::sqrt(squares / double(x.size()) + shape_.eps);
  Values y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] / root * weight[i];
  return y;
}

void Reference::turn(double* head, std::size_t position) const {
  const std::size_t half_dim = frequencies_.size();
  for (std::size_t i = 0; i < half_dim; ++i) {
    const double angle = double(position) * frequencies_[i];
    const double c = std::cos(angle) * turn_scale_, s = std::sin(angle) * turn_scale_;
    const double a = head[i], b = head[i + half_dim];
    head[i] = a * c - b * s;
    head[i + half_dim] = b * c + a * s;
  }
}

Reference::Pass Reference::run(const std::vector<std::int32_t>& tokens) const {
  const std::size_t n = tokens.size(), d = shape_.head_dim, group = shape_.heads / shape_.kv_heads;
  const Values& embedding = tensor("model.embed_tokens.weight");
  std::vector<Values> x(n);
  for (std::size_t t = 0; t < n; ++t) {
    const auto from = embedding.begin() + static_cast<std::ptrdiff_t>(std::size_t(tokens[t]) * shape_.hidden);
    x[t].assign(from, from + static_cast<std::ptrdiff_t>(shape_.hidden));
  }
  Pass pass;
  pass.hidden.push_back(x);
  for (std::size_t l = 0; l < shape_.layers; ++l) {
    const std::string p = "model.layers." + std::to_string(l) + ".";
    std::vector<Values> q(n), k(n), v(n);
    for (std::size_t t = 0; t < n; ++t) {
      const Values u = norm(x[t], tensor(p + "input_layernorm.weight"));
      q[t] = linear(p + "self_attn.q_proj", u);
      k[t] = linear(p + "self_attn.k_proj", u);
      v[t] = linear(p + "self_attn.v_proj", u);
      const auto per_head = [&](Values& heads, std::size_t count, const char* name) {
        for (std::size_t h = 0; h < count; ++h) {
          if (shape_.head_norm) {
            const Values one(heads.begin() + static_cast<std::ptrdiff_t>(h * d),
                             heads.begin() + static_cast<std::ptrdiff_t>((h + 1) * d));
            const Values normed = norm(one, tensor(p + name));
            std::copy(normed.begin(), normed.end(), heads.begin() + static_cast<std::ptrdiff_t>(h * d));
          }
          turn(heads.data() + h * d, t);
        }
      };
      per_head(q[t], shape_.heads, "self_attn.q_norm.weight");
      per_head(k[t], shape_.kv_heads, "self_attn.k_norm.weight");
    }
    for (std::size_t t = 0; t < n; ++t) {
      Values mixed(shape_.heads * d, 0.0);
      const std::size_t window = shape_.window[l], first = window > 0 && t + 1 > window ? t + 1 - window : 0;
      for (std::size_t h = 0; h < shape_.heads; ++h) {
        const std::size_t kv = h / group;
        Values weight;
        double total = 0;
        for (std::size_t s = first; s <= t; ++s) {
          double dot = 0;
          for (std::size_t i = 0; i < d; ++i) dot += q[t][h * d + i] * k[s][kv * d + i];
          weight.push_back(std::exp(dot / std::sqrt(double(d))));
          total += weight.back();
        }
        for (std::size_t s = first; s <= t; ++s) {
          for (std::size_t i = 0; i < d; ++i)
            mixed[h * d + i] += weight[s - first] / total * v[s][kv * d + i];
        }
      }
      const Values o = linear(p + "self_attn.o_proj", mixed);
      for (std::size_t i = 0; i < shape_.hidden; ++i) x[t][i] += o[i];
    }
    for (std::size_t t = 0; t < n; ++t) {
      const Values u = norm(x[t], tensor(p + "post_attention_layernorm.weight"));
      Values gate = linear(p + "mlp.gate_proj", u);
      const Values up = linear(p + "mlp.up_proj", u);
      for (std::size_t i = 0; i < gate.size(); ++i) gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
      const Values down = linear(p + "mlp.down_proj", gate);
      for (std::size_t i = 0; i < shape_.hidden; ++i) x[t][i] += down[i];
    }
    pass.hidden.push_back(x);
  }
  for (std::size_t t = 0; t < n; ++t) {
    pass.logits.push_back(
        linear(shape_.tied ? "model.embed_tokens" : "lm_head", norm(x[t], tensor("model.norm.weight"))));
  }
  return pass;
}

}  // namespace oracle
