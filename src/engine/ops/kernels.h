// The arithmetic of a transformer, in three editions chosen at run time: plain C++, AVX2 and AVX-512.
//
// Results do not depend on the batch. Every output element is one dot product over the inputs, accumulated in
// a fixed number of lanes in ascending order and folded by a fixed tree; how many rows are computed together,
// in which tile, on which thread, and whether weights are widened first changes nothing. So a prompt computed
// whole or in chunks, alone or in company, gives the same bits. Editions differ from one another in the last
// digits.
//
// Thread: pure; callers split the work.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/ops/matrix.h"

namespace tidegate::ops {

// Memory that a thread reuses from call to call.
class Scratch {
 public:
  // At least `count` floats, aligned to a cache line. Invalidates what was given before.
  float* floats(std::size_t count);

 private:
  std::vector<float> buffer_;
};

// One token's attention over one group of query heads that share a key-value head.
//
// Keys and values of a position lie together per key-value head: block b of the pool holds `block_tokens`
// rows of `head_dim` elements for each head. `keys` and `values` point at the layer's pool, moved to this
// head; a block is `block_stride` elements long.
struct Attention {
  const float* query = nullptr;  // heads rows of head_dim
  float* out = nullptr;          // the same
  std::size_t heads = 0;
  std::size_t head_dim = 0;
  const void* keys = nullptr;
  const void* values = nullptr;
  Format format = Format::kF32;  // of keys and values: kF32 or kBf16
  const std::uint32_t* blocks = nullptr;
  std::size_t block_tokens = 0;
  std::size_t block_stride = 0;
  std::size_t first = 0, last = 0;  // positions seen, both included
  float scale = 1;
};

struct Kernels {
  const char* name;

  // y[m][n] = dot(x[m], w[n]) for n in [begin, end) and m in [0, count); strides in floats.
  void (*multiply)(const Matrix& w, std::size_t begin, std::size_t end, const float* x, std::size_t x_stride,
                   std::size_t count, float* y, std::size_t y_stride, Scratch& scratch);

  // y[n] += sum over j of x[j] * b[j][n] for n in [begin, end); b has `rank` rows of `columns`, kF32 or
  // kBf16.
  void (*add_outer)(Format format, const void* b, std::size_t columns, std::size_t rank, const float* x,
                    std::size_t begin, std::size_t end, float* y);

  // y = x / sqrt(mean(x^2) + eps) * weight
  void (*rms_norm)(const float* x, const float* weight, float eps, std::size_t count, float* y);

  // Turns the pairs (i, i + half) of one head by the angles whose cosines and sines are given.
  void (*rotate)(float* head, const float* cosine, const float* sine, std::size_t half);

  // gate = silu(gate) * up
  void (*silu_times)(float* gate, const float* up, std::size_t count);

  // y += x
  void (*add)(float* y, const float* x, std::size_t count);

  void (*attend)(const Attention& attention, Scratch& scratch);

  // Stores floats as keys or values are kept.
  void (*store)(Format format, const float* x, std::size_t count, void* to);

  // Reads a row of a matrix as floats.
  void (*widen)(const Matrix& w, std::size_t row, float* to);

  // y[i] = exp(x[i] - shift); returns the sum in double. x and y may be one.
  double (*exp_shifted)(const float* x, float shift, std::size_t count, float* y);

  float (*largest)(const float* x, std::size_t count);
};

enum class Isa { kScalar, kAvx2, kAvx512 };

// The best edition this machine runs. TIDEGATE_ISA=scalar|avx2|avx512 in the environment lowers it, for
// tests.
Isa best_isa();
bool isa_supported(Isa isa);

// Requires: isa_supported(isa).
const Kernels& kernels(Isa isa);

// Flushes denormals to zero in this thread for as long as it lives: they slow vector code many times over and
// carry nothing.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  unsigned saved_ = 0;
};

}  // namespace tidegate::ops
