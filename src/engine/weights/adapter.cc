#include "engine/weights/adapter.h"

#include <openssl/evp.h>

#include <charconv>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/weights/text_file.h"

namespace tidegate::weights {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, kProjections> kNames = {
    "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
    "mlp.gate_proj",    "mlp.up_proj",      "mlp.down_proj"};

bool set(const json& object, const char* key) {
  if (!object.contains(key) || object[key].is_null()) return false;
  const json& value = object[key];
  if (value.is_boolean()) return value.get<bool>();
  return !((value.is_array() || value.is_object() || value.is_string()) && value.empty());
}

struct Place {
  std::size_t layer = 0;
  Projection projection = Projection::kQ;
  bool b = false;
};

// "base_model.model.model.layers.3.self_attn.q_proj.lora_A.weight"
std::optional<Place> place_of(std::string_view name) {
  constexpr std::string_view kPrefix = "base_model.model.model.layers.";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  Place place;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), place.layer);
  if (read.ec != std::errc()) return std::nullopt;
  name.remove_prefix(static_cast<std::size_t>(read.ptr - name.data()));
  if (name.ends_with(".lora_A.weight")) {
    place.b = false;
  } else if (name.ends_with(".lora_B.weight")) {
    place.b = true;
  } else {
    return std::nullopt;
  }
  name.remove_suffix(std::string_view(".lora_A.weight").size());
  if (!name.starts_with('.')) return std::nullopt;
  name.remove_prefix(1);
  for (std::size_t i = 0; i < kProjections; ++i) {
    if (name != kNames[i]) continue;
    place.projection = static_cast<Projection>(i);
    return place;
  }
  return std::nullopt;
}

std::string shape_text(const std::vector<std::size_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

std::string sha256(std::string_view first, std::span<const std::byte> second) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  const std::uint64_t length = first.size();  // so that no byte can move from one file to the other unseen
  EVP_DigestUpdate(context.get(), &length, sizeof length);
  EVP_DigestUpdate(context.get(), first.data(), first.size());
  EVP_DigestUpdate(context.get(), second.data(), second.size());
  EVP_DigestFinal_ex(context.get(), digest.data(), &size);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text += kHex[digest[i] >> 4];
    text += kHex[digest[i] & 15];
  }
  return text;
}

double alpha_for(const AdapterConfig& config, const Place& place) {
  const std::string module = "model.layers." + std::to_string(place.layer) + "." +
                             std::string(kNames[static_cast<std::size_t>(place.projection)]);
  for (const auto& [key, alpha] : config.alpha_pattern) {
    if (module == key || module.ends_with("." + key)) return alpha;
  }
  return config.alpha;
}

// Puts every tensor at its place, checking names, types and shapes.
Result<void> place_tensors(AdapterFiles& files, const ModelConfig& config) {
  files.layers.resize(config.layers);
  for (const auto& [name, tensor] : files.checkpoint.tensors()) {
    const auto place = place_of(name);
    if (!place || place->layer >= config.layers) {
      return invalid(name, "is no LoRA matrix of a module that adapters can change here");
    }
    if (tensor.dtype != DType::kF32 && tensor.dtype != DType::kBf16 && tensor.dtype != DType::kF16) {
      return invalid(name,
                     "has dtype " + std::string(dtype_name(tensor.dtype)) + "; F32, BF16 and F16 are read");
    }
    const Size size = projection_size(config, place->projection);
    const bool fits =
        tensor.shape.size() == 2 && (place->b ? tensor.shape[0] == size.out : tensor.shape[1] == size.in);
    if (!fits || tensor.shape[place->b ? 1 : 0] == 0) {
      return invalid(name, "has shape " + shape_text(tensor.shape) + ", which does not fit the model's [" +
                               std::to_string(size.out) + ", " + std::to_string(size.in) + "]");
    }
    auto& pair = files.layers[place->layer][static_cast<std::size_t>(place->projection)];
    if (!pair) pair.emplace();
    (place->b ? pair->b : pair->a) = &tensor;
  }
  return {};
}

}  // namespace

std::string_view projection_name(Projection projection) {
  return kNames[static_cast<std::size_t>(projection)];
}

Size projection_size(const ModelConfig& c, Projection projection) {
  const std::size_t q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  switch (projection) {
    case Projection::kQ:
      return {q, c.hidden};
    case Projection::kK:
    case Projection::kV:
      return {kv, c.hidden};
    case Projection::kO:
      return {c.hidden, q};
    case Projection::kGate:
    case Projection::kUp:
      return {c.inner, c.hidden};
    case Projection::kDown:
      return {c.hidden, c.inner};
  }
  return {};
}

Result<AdapterConfig> parse_adapter_config(std::string_view text) {
  const json object = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return invalid("adapter_config.json", "is no JSON object");
  const json type = object.value("peft_type", json());
  if (type != "LORA") {
    const bool brief = type.is_string() && type.get_ref<const std::string&>().size() <= 40;
    return invalid("peft_type", (brief ? "is " + type.get<std::string>() : std::string("is not LORA")) +
                                    "; LORA is the only type that is served");
  }
  struct Refused {
    const char* key;
    const char* what;
  };
  static constexpr std::array<Refused, 7> kRefused = {{{"use_dora", "DoRA is"},
                                                       {"modules_to_save", "saved modules are"},
                                                       {"fan_in_fan_out", "transposed weights are"},
                                                       {"lora_bias", "LoRA biases are"},
                                                       {"use_qalora", "QALoRA is"},
                                                       {"trainable_token_indices", "trained tokens are"},
                                                       {"target_parameters", "adapted parameters are"}}};
  for (const Refused& refused : kRefused) {
    if (set(object, refused.key))
      return invalid(refused.key, std::string("is set, but ") + refused.what + " not served");
  }
  if (object.contains("bias") && !object["bias"].is_null() && object["bias"] != "none") {
    return invalid("bias", "is not \"none\"; adapters with biases are not served");
  }
  AdapterConfig config;
  if (object.contains("r")) {
    const json& rank = object["r"];
    if (!rank.is_number_unsigned() || rank.get<std::uint64_t>() == 0 || rank.get<std::uint64_t>() > 4096) {
      return invalid("r", "is not a whole number from 1 to 4096");
    }
    config.rank = rank.get<std::size_t>();
  }
  config.ranks_vary = set(object, "rank_pattern");
  const auto alpha_of = [](const json& value) -> std::optional<double> {
    if (!value.is_number() || !std::isfinite(value.get<double>())) return std::nullopt;
    return value.get<double>();
  };
  if (object.contains("lora_alpha")) {
    const auto alpha = alpha_of(object["lora_alpha"]);
    if (!alpha) return invalid("lora_alpha", "is not a number");
    config.alpha = *alpha;
  }
  config.rank_stabilised = set(object, "use_rslora");
  if (set(object, "alpha_pattern")) {
    if (!object["alpha_pattern"].is_object()) return invalid("alpha_pattern", "is not a map");
    for (const auto& [key, value] : object["alpha_pattern"].items()) {
      const auto alpha = alpha_of(value);
      if (!alpha || key.find_first_of("*+?[](){}|^$\\") != std::string::npos) {
        return invalid("alpha_pattern",
                       "has an entry that is not the end of a module's name with a number: " + key);
      }
      config.alpha_pattern.emplace(key, *alpha);
    }
  }
  return config;
}

Result<AdapterFiles> open_adapter(const std::string& folder, const ModelConfig& model, std::size_t rank_max) {
  const std::string config_path = folder + "/adapter_config.json";
  auto text = read_text_file(config_path);
  if (!text) return tl::unexpected(std::move(text.error()));
  auto config = parse_adapter_config(*text);
  if (!config) {
    config.error().field = config_path + ": " + config.error().field;
    return tl::unexpected(std::move(config.error()));
  }
  const auto over = [&](std::size_t rank) {
    return invalid(folder, "LoRA rank " + std::to_string(rank) + " is greater than max_lora_rank " +
                               std::to_string(rank_max));
  };
  if (config->rank > rank_max && !config->ranks_vary) return over(config->rank);
  const std::string weights_path = folder + "/adapter_model.safetensors";
  auto file = MappedFile::open(weights_path);
  if (!file) {
    if (file.error().code == Code::kNotFound) {
      file.error().message = "does not exist; only safetensors are read, never adapter_model.bin";
    }
    return tl::unexpected(std::move(file.error()));
  }
  const std::string digest = sha256(*text, file->bytes());
  auto checkpoint = Checkpoint::from_file(std::move(*file), weights_path);
  if (!checkpoint) return tl::unexpected(std::move(checkpoint.error()));

  AdapterFiles files{std::move(*checkpoint), {}, 0, digest};
  if (auto done = place_tensors(files, model); !done) {
    done.error().field = weights_path + ": " + done.error().field;
    return tl::unexpected(std::move(done.error()));
  }
  for (std::size_t layer = 0; layer < files.layers.size(); ++layer) {
    for (std::size_t p = 0; p < kProjections; ++p) {
      auto& pair = files.layers[layer][p];
      if (!pair) continue;
      const Place place{layer, static_cast<Projection>(p), false};
      const std::string name = "layers." + std::to_string(layer) + "." + std::string(kNames[p]);
      if (!pair->a || !pair->b || pair->a->shape[0] != pair->b->shape[1]) {
        return invalid(weights_path + ": " + name, "lacks one of its two matrices, or they differ in rank");
      }
      pair->rank = pair->a->shape[0];
      if (pair->rank > rank_max) return over(pair->rank);
      if (pair->rank != config->rank && !config->ranks_vary) {
        // Which of the two alpha is to be divided by nobody can say.
        return invalid(weights_path + ": " + name, "has rank " + std::to_string(pair->rank) +
                                                       ", but adapter_config.json says r " +
                                                       std::to_string(config->rank));
      }
      const double r = static_cast<double>(pair->rank);
      pair->scale =
          static_cast<float>(alpha_for(*config, place) / (config->rank_stabilised ? std::sqrt(r) : r));
      files.rank = std::max(files.rank, pair->rank);
    }
  }
  if (files.rank == 0) return invalid(weights_path, "has no LoRA matrices");
  return files;
}

}  // namespace tidegate::weights
