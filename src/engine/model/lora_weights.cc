#include "engine/model/lora_weights.h"

#include <cstring>

#include "engine/ops/number.h"

namespace tidegate::model {
namespace {

constexpr std::size_t kAlign = 64;

std::size_t padded(std::size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

void store(ops::Format format, const float* from, std::size_t count, void* to) {
  if (format == ops::Format::kF32) {
    std::memcpy(to, from, count * sizeof(float));
    return;
  }
  auto* half = static_cast<std::uint16_t*>(to);
  for (std::size_t i = 0; i < count; ++i) half[i] = ops::to_bf16(from[i]);
}

}  // namespace

Result<std::unique_ptr<LoraWeights>> LoraWeights::load(const std::string& folder,
                                                       const weights::ModelConfig& config,
                                                       std::size_t rank_max, ops::Format format) {
  auto files = weights::open_adapter(folder, config, rank_max);
  if (!files) return tl::unexpected(std::move(files.error()));
  const std::size_t element = ops::format_bytes(format);
  std::size_t bytes = 0;
  for (const auto& layer : files->layers) {
    for (std::size_t p = 0; p < weights::kProjections; ++p) {
      if (!layer[p]) continue;
      const weights::Size size = projection_size(config, static_cast<weights::Projection>(p));
      bytes += padded(layer[p]->rank * size.in * element) + padded(layer[p]->rank * size.out * element);
    }
  }
  auto memory = Buffer::make(bytes);
  if (!memory) return tl::unexpected(std::move(memory.error()));
  auto made = std::make_unique<LoraWeights>();
  made->rank = files->rank;
  made->bytes = bytes;
  made->digest = files->digest;
  made->memory_ = std::move(*memory);
  made->pairs_.resize(files->layers.size() * weights::kProjections);

  auto* at = static_cast<std::byte*>(made->memory_.data());
  std::vector<float> values, turned;
  for (std::size_t l = 0; l < files->layers.size(); ++l) {
    for (std::size_t p = 0; p < weights::kProjections; ++p) {
      const auto& from = files->layers[l][p];
      if (!from) continue;
      const weights::Size size = projection_size(config, static_cast<weights::Projection>(p));
      LoraPair& to = made->pairs_[l * weights::kProjections + p];
      to.rank = from->rank;
      to.scale = from->scale;
      values.resize(to.rank * std::max(size.in, size.out));
      to_floats(*from->a, values.data());
      store(format, values.data(), to.rank * size.in, at);
      to.a = {format, at, nullptr, to.rank, size.in};
      at += padded(to.rank * size.in * element);
      to_floats(*from->b, values.data());
      turned.resize(to.rank * size.out);
      for (std::size_t o = 0; o < size.out; ++o) {
        for (std::size_t r = 0; r < to.rank; ++r) turned[r * size.out + o] = values[o * to.rank + r];
      }
      store(format, turned.data(), turned.size(), at);
      to.b = at;
      at += padded(to.rank * size.out * element);
    }
  }
  return made;
}

}  // namespace tidegate::model
