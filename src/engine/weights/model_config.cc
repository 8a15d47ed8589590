#include "engine/weights/model_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

namespace tidegate::weights {
namespace {

using nlohmann::json;

// Reads fields of one object and remembers the first thing that is wrong.
class Fields {
 public:
  explicit Fields(const json& object, std::string prefix = {})
      : object_(object), prefix_(std::move(prefix)) {}

  bool has(const char* key) const { return object_.contains(key) && !object_[key].is_null(); }
  const json& raw(const char* key) const { return object_[key]; }

  std::size_t size(const char* key, std::size_t otherwise, std::size_t most) {
    if (!has(key)) return otherwise;
    const json& value = object_[key];
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() == 0 || value.get<std::uint64_t>() > most) {
      wrong(key, "is not a whole number from 1 to " + std::to_string(most));
      return otherwise;
    }
    return value.get<std::size_t>();
  }

  std::size_t needed_size(const char* key, std::size_t most) {
    if (!has(key)) wrong(key, "is missing");
    return size(key, 1, most);
  }

  double positive(const char* key, double otherwise) {
    if (!has(key)) return otherwise;
    const json& value = object_[key];
    const double number = value.is_number() ? value.get<double>() : 0;
    if (!std::isfinite(number) || number <= 0) {
      wrong(key, "is not a positive number");
      return otherwise;
    }
    return number;
  }

  bool flag(const char* key, bool otherwise) {
    if (!has(key)) return otherwise;
    if (!object_[key].is_boolean()) {
      wrong(key, "is not true or false");
      return otherwise;
    }
    return object_[key].get<bool>();
  }

  std::string text(const char* key) const {
    return has(key) && object_[key].is_string() ? object_[key].get<std::string>() : std::string();
  }

  void wrong(const std::string& key, std::string message) {
    if (!error_) error_ = Error{Code::kInvalid, prefix_ + key, std::move(message)};
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  const json& object_;
  std::string prefix_;
  std::optional<Error> error_;
};

// The first that is named; empty if none is.
std::string architecture_of(const Fields& fields) {
  const bool named = fields.has("architectures") && fields.raw("architectures").is_array() &&
                     !fields.raw("architectures").empty() && fields.raw("architectures")[0].is_string();
  return named ? fields.raw("architectures")[0].get<std::string>() : std::string();
}

std::optional<Family> family_of(const Fields& fields) {
  struct Known {
    const char* architecture;
    const char* type;
    Family family;
  };
  static constexpr std::array<Known, 4> kKnown = {{{"LlamaForCausalLM", "llama", Family::kLlama},
                                                   {"MistralForCausalLM", "mistral", Family::kMistral},
                                                   {"Qwen2ForCausalLM", "qwen2", Family::kQwen2},
                                                   {"Qwen3ForCausalLM", "qwen3", Family::kQwen3}}};
  const std::string architecture = architecture_of(fields);
  const std::string type = fields.text("model_type");
  for (const Known& known : kKnown) {
    if (architecture.empty() ? type == known.type : architecture == known.architecture) return known.family;
  }
  return std::nullopt;
}

double yarn_scale(double factor, double mscale) {
  return factor <= 1 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

// rope_scaling of Transformers 4 (with rope_theta beside it) and rope_parameters of Transformers 5 (with it
// inside).
void read_rope(Fields& top, ModelConfig& config) {
  Rope& rope = config.rope;
  rope.theta = top.positive("rope_theta", 10000);
  const char* key = top.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  rope.original_context = static_cast<double>(config.context_max);
  if (!top.has(key)) return;
  if (!top.raw(key).is_object()) return top.wrong(key, "is not an object");
  Fields fields(top.raw(key), std::string(key) + ".");
  rope.theta = fields.positive("rope_theta", rope.theta);
  std::string kind = fields.text("rope_type");
  if (kind.empty()) kind = fields.text("type");
  if (kind == "default" || kind.empty()) {
    rope.kind = RopeKind::kPlain;
    return;
  }
  rope.factor = fields.positive("factor", 1);
  rope.original_context = fields.positive("original_max_position_embeddings", rope.original_context);
  if (kind == "linear") {
    rope.kind = RopeKind::kLinear;
  } else if (kind == "dynamic") {
    rope.kind = RopeKind::kDynamic;
    config.context_max = static_cast<std::size_t>(static_cast<double>(config.context_max) * rope.factor);
  } else if (kind == "llama3") {
    rope.kind = RopeKind::kLlama3;
    rope.low_freq_factor = fields.positive("low_freq_factor", 1);
    rope.high_freq_factor = fields.positive("high_freq_factor", 4);
    if (rope.high_freq_factor <= rope.low_freq_factor)
      fields.wrong("high_freq_factor", "is not above low_freq_factor");
  } else if (kind == "yarn") {
    rope.kind = RopeKind::kYarn;
    rope.beta_fast = fields.positive("beta_fast", 32);
    rope.beta_slow = fields.positive("beta_slow", 1);
    rope.truncate = fields.flag("truncate", true);
    const double all =
        fields.has("mscale_all_dim") ? yarn_scale(rope.factor, fields.positive("mscale_all_dim", 1)) : 1;
    const double own =
        yarn_scale(rope.factor, fields.has("mscale_all_dim") ? fields.positive("mscale", 1) : 1);
    rope.attention_factor = fields.positive("attention_factor", own / all);
    if (fields.has("original_max_position_embeddings")) {
      config.context_max =
          std::max(config.context_max, static_cast<std::size_t>(rope.original_context * rope.factor));
    } else {
      config.context_max = static_cast<std::size_t>(static_cast<double>(config.context_max) * rope.factor);
    }
  } else {
    fields.wrong("rope_type", "is \"" + kind + "\"; known are default, linear, dynamic, yarn and llama3");
  }
  if (config.context_max > (std::size_t{1} << 26))
    fields.wrong("factor", "stretches the context beyond 67108864 positions");
  if (fields.error()) top.wrong(fields.error()->field, fields.error()->message);
}

void read_windows(Fields& fields, ModelConfig& config) {
  config.window.assign(config.layers, 0);
  if (!fields.has("sliding_window")) return;
  const bool qwen = config.family == Family::kQwen2 || config.family == Family::kQwen3;
  if (config.family == Family::kLlama || (qwen && !fields.flag("use_sliding_window", false))) return;
  const std::size_t window = fields.size("sliding_window", 0, std::size_t{1} << 26);
  if (fields.has("layer_types") && fields.raw("layer_types").is_array()) {
    const json& types = fields.raw("layer_types");
    if (types.size() != config.layers)
      return fields.wrong("layer_types", "does not have one entry per layer");
    for (std::size_t i = 0; i < config.layers; ++i)
      config.window[i] = types[i] == "sliding_attention" ? window : 0;
    return;
  }
  std::size_t first = 0;
  if (qwen) {
    const json& value = fields.has("max_window_layers") ? fields.raw("max_window_layers") : json(28);
    first = value.is_number_unsigned() ? value.get<std::size_t>() : 0;
  }
  for (std::size_t i = first; i < config.layers; ++i) config.window[i] = window;
}

}  // namespace

Result<ModelConfig> parse_model_config(std::string_view text) {
  const json object = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return invalid("config.json", "is no JSON object");
  Fields fields(object);
  ModelConfig config;
  const auto family = family_of(fields);
  if (!family) {
    constexpr std::size_t kShownMax = 60;
    std::string named = architecture_of(fields);
    if (named.empty()) named = fields.text("model_type");
    const bool shown = !named.empty() && named.size() <= kShownMax;
    return invalid("architectures",
                   (shown ? "names " + named + ", which is none of " : std::string("is none of ")) +
                       "LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM, which are those known");
  }
  config.family = *family;
  if (fields.has("quantization_config")) {
    return invalid("quantization_config",
                   "is set; give the unquantised checkpoint and choose int8 with a flag instead");
  }
  config.hidden = fields.needed_size("hidden_size", 65536);
  config.inner = fields.needed_size("intermediate_size", 1 << 20);
  config.layers = fields.needed_size("num_hidden_layers", 1024);
  config.heads = fields.needed_size("num_attention_heads", 1024);
  config.kv_heads = fields.size("num_key_value_heads", config.heads, 1024);
  config.vocabulary = fields.needed_size("vocab_size", std::size_t{4} << 20);
  config.context_max = fields.size("max_position_embeddings", 2048, std::size_t{1} << 26);
  config.norm_eps = static_cast<float>(fields.positive("rms_norm_eps", 1e-6));
  config.tied = fields.flag("tie_word_embeddings", false);
  const std::size_t usual = config.family == Family::kQwen3 ? 128 : config.hidden / config.heads;
  config.head_dim = fields.size("head_dim", std::max<std::size_t>(usual, 1), 1024);
  if (!fields.has("head_dim") && config.family != Family::kQwen3 && config.hidden % config.heads != 0) {
    fields.wrong("hidden_size", "is not a multiple of num_attention_heads, and there is no head_dim");
  }
  if (config.heads % config.kv_heads != 0) {
    fields.wrong("num_key_value_heads", "does not divide num_attention_heads");
  }
  if (config.head_dim % 2 != 0) fields.wrong("head_dim", "is odd");
  if (const std::string act = fields.text("hidden_act"); !act.empty() && act != "silu") {
    fields.wrong("hidden_act", "is \"" + act + "\"; only silu is known");
  }
  if (fields.has("partial_rotary_factor") && fields.positive("partial_rotary_factor", 1) != 1) {
    fields.wrong("partial_rotary_factor", "is not 1, which is not supported");
  }
  config.qkv_bias = config.family == Family::kQwen2 || fields.flag("attention_bias", false);
  config.output_bias = config.family != Family::kQwen2 && fields.flag("attention_bias", false);
  if (config.family == Family::kMistral) config.qkv_bias = config.output_bias = false;
  config.mlp_bias = config.family == Family::kLlama && fields.flag("mlp_bias", false);
  config.head_norm = config.family == Family::kQwen3;
  config.dtype = fields.text("torch_dtype");
  if (config.dtype.empty()) config.dtype = fields.text("dtype");
  read_rope(fields, config);
  read_windows(fields, config);
  if (fields.error()) return tl::unexpected(*fields.error());
  return config;
}

std::vector<double> inverse_frequencies(const Rope& rope, std::size_t head_dim) {
  const auto d = static_cast<double>(head_dim);
  double theta = rope.theta;
  if (rope.kind == RopeKind::kDynamic) {
    // Fixed at the stretched context rather than following each request, so that cached keys stay valid.
    theta *= std::pow(rope.factor * rope.factor - (rope.factor - 1), d / (d - 2));
  }
  std::vector<double> inverse(head_dim / 2);
  for (std::size_t i = 0; i < inverse.size(); ++i)
    inverse[i] = std::pow(theta, -2.0 * static_cast<double>(i) / d);
  if (rope.kind == RopeKind::kLinear) {
    for (double& f : inverse) f /= rope.factor;
  } else if (rope.kind == RopeKind::kLlama3) {
    const double longest = rope.original_context / rope.low_freq_factor;
    const double shortest = rope.original_context / rope.high_freq_factor;
    for (double& f : inverse) {
      const double wavelength = 2 * std::numbers::pi / f;
      if (wavelength < shortest) continue;
      const double blend = (rope.original_context / wavelength - rope.low_freq_factor) /
                           (rope.high_freq_factor - rope.low_freq_factor);
      f = wavelength > longest ? f / rope.factor : (1 - blend) * f / rope.factor + blend * f;
    }
  } else if (rope.kind == RopeKind::kYarn) {
    // The pair that turns `turns` times over the original context.
    const auto pair_of = [&](double turns) {
      return d * std::log(rope.original_context / (turns * 2 * std::numbers::pi)) / (2 * std::log(theta));
    };
    double low = pair_of(rope.beta_fast), high = pair_of(rope.beta_slow);
    if (rope.truncate) {
      low = std::floor(low);
      high = std::ceil(high);
    }
    low = std::max(low, 0.0);
    high = std::min(high, d - 1);
    if (low == high) high += 0.001;
    for (std::size_t i = 0; i < inverse.size(); ++i) {
      const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
      inverse[i] = inverse[i] / rope.factor * ramp + inverse[i] * (1 - ramp);
    }
  }
  return inverse;
}

Result<GenerationDefaults> parse_generation_config(std::string_view text) {
  const json object = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return invalid("generation_config.json", "is no JSON object");
  GenerationDefaults defaults;
  const auto number = [&](const char* key, double low, double high) -> std::optional<float> {
    if (!object.contains(key) || !object[key].is_number()) return std::nullopt;
    const double value = object[key].get<double>();
    return value >= low && value <= high ? std::optional(static_cast<float>(value)) : std::nullopt;
  };
  defaults.temperature = number("temperature", 0, 100);
  defaults.top_p = number("top_p", 1e-6, 1);
  defaults.min_p = number("min_p", 0, 1);
  defaults.repetition_penalty = number("repetition_penalty", 1e-6, 1e6);
  if (const auto k = number("top_k", -1, 1e7)) defaults.top_k = static_cast<int>(*k);
  if (const auto n = number("max_new_tokens", 1, 1e9)) defaults.max_new_tokens = static_cast<std::size_t>(*n);
  return defaults;
}

}  // namespace tidegate::weights
