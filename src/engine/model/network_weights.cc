#include "engine/model/network_weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "engine/ops/number.h"

namespace tidegate::model {
namespace {

using weights::DType;
using weights::Projection;
using weights::Tensor;

// Models from this size on are copied into large pages if memory allows: a step walks through all of them,
// and with the file's small pages the processor looks up addresses for a good part of that time.
constexpr std::size_t kCopied = std::size_t{256} << 20;

std::optional<ops::Format> format_of(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return ops::Format::kF32;
    case DType::kBf16:
      return ops::Format::kBf16;
    case DType::kF16:
      return ops::Format::kF16;
    default:
      return std::nullopt;
  }
}

// Rows are quantised by their largest element, which becomes 127.
void quantise_row(const float* row, std::size_t count, std::int8_t* to, float& scale) {
  float largest = 0;
  for (std::size_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(row[i]));
  scale = largest / 127.0F;
  const float inverse = largest > 0 ? 127.0F / largest : 0.0F;
  for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<std::int8_t>(std::lrint(row[i] * inverse));
}

class Loader {
 public:
  Loader(NetworkWeights& out, Precision precision, ops::Pool& pool, bool copies)
      : out_(out), precision_(precision), pool_(pool), copies_(copies) {}

  Result<ops::Matrix> matrix(const std::string& name, std::size_t rows, std::size_t columns) {
    auto tensor = find(name, {rows, columns});
    if (!tensor) return tl::unexpected(std::move(tensor.error()));
    ops::Matrix m{*format_of((*tensor)->dtype), (*tensor)->data.data(), nullptr, rows, columns};
    if (precision_ == Precision::kInt8) return quantised(m, **tensor);
    const bool misaligned = reinterpret_cast<std::uintptr_t>(m.data) % ops::format_bytes(m.format) != 0;
    if (misaligned || copies_) {
      auto copy = Buffer::make((*tensor)->data.size());
      if (!copy) return tl::unexpected(std::move(copy.error()));
      auto* to = static_cast<std::byte*>(copy->data());
      pool_.run((*tensor)->data.size(), std::size_t{8} << 20,
                [&](std::size_t from, std::size_t end, ops::Scratch&) {
                  std::memcpy(to + from, (*tensor)->data.data() + from, end - from);
                });
      forget_pages((*tensor)->data);
      m.data = to;
      out_.copies.push_back(std::move(*copy));
    }
    return m;
  }

  Result<std::vector<float>> vector(const std::string& name, std::size_t count) {
    auto tensor = find(name, {count});
    if (!tensor) return tl::unexpected(std::move(tensor.error()));
    std::vector<float> values(count);
    to_floats(**tensor, values.data());
    return values;
  }

  Result<void> linear(Linear& to, const std::string& name, weights::Size size, bool bias) {
    auto m = matrix(name + ".weight", size.out, size.in);
    if (!m) return tl::unexpected(std::move(m.error()));
    to.matrix = *m;
    out_.bytes += size.out * size.in * ops::format_bytes(m->format);
    if (!bias) return {};
    auto b = vector(name + ".bias", size.out);
    if (!b) return tl::unexpected(std::move(b.error()));
    to.bias = std::move(*b);
    return {};
  }

 private:
  Result<const Tensor*> find(const std::string& name, const std::vector<std::size_t>& shape) {
    const Tensor* tensor = out_.checkpoint->find(name);
    if (!tensor) return invalid(name, "is not among the model's tensors");
    if (tensor->shape != shape) return invalid(name, "does not have the shape that config.json asks for");
    if (!format_of(tensor->dtype)) {
      return invalid(name,
                     "has dtype " + std::string(dtype_name(tensor->dtype)) + "; F32, BF16 and F16 are read");
    }
    return tensor;
  }

  Result<ops::Matrix> quantised(ops::Matrix m, const Tensor& tensor) {
    auto bytes = Buffer::make(m.rows * m.columns), scales = Buffer::make(m.rows * sizeof(float));
    if (!bytes || !scales) return tl::unexpected(std::move((bytes ? scales : bytes).error()));
    auto* to = static_cast<std::int8_t*>(bytes->data());
    const std::size_t row_bytes = m.columns * ops::format_bytes(m.format);
    pool_.run(m.rows, 64, [&](std::size_t begin, std::size_t end, ops::Scratch& scratch) {
      float* row = scratch.floats(m.columns);
      for (std::size_t r = begin; r < end; ++r) {
        to_floats({tensor.dtype, {m.columns}, tensor.data.subspan(r * row_bytes, row_bytes)}, row);
        quantise_row(row, m.columns, to + r * m.columns, scales->floats()[r]);
      }
    });
    m.format = ops::Format::kInt8;
    m.data = bytes->data();
    m.scales = scales->floats();
    out_.copies.push_back(std::move(*bytes));
    out_.copies.push_back(std::move(*scales));
    return m;
  }

  NetworkWeights& out_;
  Precision precision_;
  ops::Pool& pool_;
  bool copies_;
};

Result<void> load_layer(Loader& loader, const weights::ModelConfig& config, std::size_t index,
                        LayerWeights& layer) {
  const std::string prefix = "model.layers." + std::to_string(index) + ".";
  const auto take = [&](std::vector<float>& to, const char* name, std::size_t count) -> Result<void> {
    auto values = loader.vector(prefix + name, count);
    if (!values) return tl::unexpected(std::move(values.error()));
    to = std::move(*values);
    return {};
  };
  if (auto done = take(layer.norm1, "input_layernorm.weight", config.hidden); !done) return done;
  if (auto done = take(layer.norm2, "post_attention_layernorm.weight", config.hidden); !done) return done;
  if (config.head_norm) {
    if (auto done = take(layer.q_norm, "self_attn.q_norm.weight", config.head_dim); !done) return done;
    if (auto done = take(layer.k_norm, "self_attn.k_norm.weight", config.head_dim); !done) return done;
  }
  for (std::size_t p = 0; p < weights::kProjections; ++p) {
    const auto projection = static_cast<Projection>(p);
    const bool bias = projection <= Projection::kV   ? config.qkv_bias
                      : projection == Projection::kO ? config.output_bias
                                                     : config.mlp_bias;
    auto done = loader.linear(layer.linear[p], prefix + std::string(projection_name(projection)),
                              projection_size(config, projection), bias);
    if (!done) return done;
  }
  return {};
}

}  // namespace

void to_floats(const Tensor& tensor, float* to) {
  const std::byte* from = tensor.data.data();
  const std::size_t count = tensor.data.size() / dtype_bytes(tensor.dtype);
  if (tensor.dtype == DType::kF32) {
    std::memcpy(to, from, tensor.data.size());
    return;
  }
  for (std::size_t i = 0; i < count; ++i) {
    std::uint16_t half = 0;
    std::memcpy(&half, from + 2 * i, sizeof half);
    to[i] = tensor.dtype == DType::kBf16 ? ops::from_bf16(half) : ops::from_f16(half);
  }
}

Result<NetworkWeights> load_weights(weights::ModelConfig config, weights::Checkpoint checkpoint,
                                    Precision precision, ops::Pool& pool, const Progress& progress) {
  NetworkWeights out;
  out.config = std::move(config);
  out.checkpoint = std::make_shared<const weights::Checkpoint>(std::move(checkpoint));
  const auto& c = out.config;
  const std::size_t bytes = out.checkpoint->bytes();
  Loader loader(out, precision, pool, bytes >= kCopied && bytes < available_memory() / 2);
  const std::size_t parts = c.layers + 1;
  auto embedding = loader.matrix("model.embed_tokens.weight", c.vocabulary, c.hidden);
  if (!embedding) return tl::unexpected(std::move(embedding.error()));
  out.embedding = out.head = *embedding;
  if (!c.tied) {
    auto head = loader.matrix("lm_head.weight", c.vocabulary, c.hidden);
    if (!head) return tl::unexpected(std::move(head.error()));
    out.head = *head;
  }
  out.bytes += c.vocabulary * c.hidden * ops::format_bytes(out.head.format);
  auto norm = loader.vector("model.norm.weight", c.hidden);
  if (!norm) return tl::unexpected(std::move(norm.error()));
  out.norm = std::move(*norm);
  if (progress) progress(1, parts);
  out.layers.resize(c.layers);
  for (std::size_t i = 0; i < c.layers; ++i) {
    if (auto done = load_layer(loader, c, i, out.layers[i]); !done)
      return tl::unexpected(std::move(done.error()));
    if (progress) progress(i + 2, parts);
  }
  return out;
}

}  // namespace tidegate::model
