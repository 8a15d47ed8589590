// Writes a Hugging Face folder of any size with random bf16 weights, and PEFT adapters for it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace bench {

struct Shape {
  std::size_t hidden = 2048, inner = 8192, layers = 16, heads = 32, kv_heads = 8, head_dim = 64;
  std::size_t vocabulary = 128256;

  std::size_t layer_weights() const {
    return hidden * head_dim * (2 * heads + 2 * kv_heads) + 3 * hidden * inner;
  }
};

// Throws std::runtime_error if the disk is full.
void write_model(const std::string& folder, const Shape& shape, std::uint64_t seed);
void write_adapter(const std::string& folder, const Shape& shape, std::size_t rank, std::uint64_t seed);

}  // namespace bench
