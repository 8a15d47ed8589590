// A weight matrix as kernels see it: rows of outputs, each a run of inputs in one of four formats.
//
// Thread: a view; whoever owns the bytes keeps them.

#pragma once

#include <cstddef>
#include <cstdint>

namespace tidegate::ops {

enum class Format : std::uint8_t {
  kF32,
  kBf16,
  kF16,
  kInt8,  // with one scale per row
};

inline std::size_t format_bytes(Format format) {
  return format == Format::kF32 ? 4 : format == Format::kInt8 ? 1 : 2;
}

struct Matrix {
  Format format = Format::kF32;
  const void* data = nullptr;     // rows * columns elements, row-major; aligned to the element
  const float* scales = nullptr;  // kInt8: one per row
  std::size_t rows = 0;           // outputs
  std::size_t columns = 0;        // inputs
};

}  // namespace tidegate::ops
