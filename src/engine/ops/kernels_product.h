// The products, written once over a small vector type that the including file defines:
//
//   struct Vec { ... };  constexpr std::size_t kLanes, kPanel;
//   zero() broadcast(f) load(p) store(p, v) load_bf16(p) load_f16(p) load_i8(p)
//   add(a, b) mul(a, b) divide(a, b) fma(a, b, c) [a*b+c] max(a, b) sum(v) highest(v) exp_of(v)
//
// It is included by kernels_*.cc inside an unnamed namespace, each compiled for its own instruction set; it
// uses no standard templates, so that no inline function compiled for a newer processor can be picked by the
// linker for all.

#pragma once

// As in number.h, but of this file alone.
inline float from_bf16(unsigned short bits) {
  return __builtin_bit_cast(float, static_cast<unsigned>(bits) << 16);
}

inline unsigned short to_bf16(float number) {
  const unsigned bits = __builtin_bit_cast(unsigned, number);
  if ((bits & 0x7FFFFFFF) > 0x7F800000) return static_cast<unsigned short>((bits >> 16) | 0x40);
  return static_cast<unsigned short>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

inline float from_f16(unsigned short bits) {
  const unsigned sign = static_cast<unsigned>(bits & 0x8000) << 16, rest = bits & 0x7FFF;
  if (rest >= 0x7C00) return __builtin_bit_cast(float, sign | 0x7F800000 | ((rest & 0x3FF) << 13));
  if (rest >= 0x400) return __builtin_bit_cast(float, sign | ((rest << 13) + (112U << 23)));
  const float tiny = static_cast<float>(rest) * 0x1p-24F;
  return sign ? -tiny : tiny;
}

// A number type in memory.
struct AsF32 {
  using Type = float;
  static Vec load_vec(const Type* p) { return load(p); }
  static float load_one(const Type* p) { return *p; }
};
struct AsBf16 {
  using Type = unsigned short;
  static Vec load_vec(const Type* p) { return load_bf16(p); }
  static float load_one(const Type* p) { return from_bf16(*p); }
};
struct AsF16 {
  using Type = unsigned short;
  static Vec load_vec(const Type* p) { return load_f16(p); }
  static float load_one(const Type* p) { return from_f16(*p); }
};
struct AsInt8 {
  using Type = signed char;
  static Vec load_vec(const Type* p) { return load_i8(p); }
  static float load_one(const Type* p) { return static_cast<float>(*p); }
};

// A run shorter than a vector, padded with zeros.
template <typename As>
inline Vec load_part(const typename As::Type* p, std::size_t count) {
  alignas(64) float padded[kLanes] = {};
  for (std::size_t i = 0; i < count; ++i) padded[i] = As::load_one(p + i);
  return load(padded);
}

// R weight rows by C inputs over columns [from, to): acc[r][c] += w[r] . x[c], lane by lane.
template <typename As, std::size_t R, std::size_t C>
inline void accumulate(const typename As::Type* w, std::size_t w_stride, const float* x, std::size_t x_stride,
                       std::size_t from, std::size_t to, Vec (&acc)[R][C]) {
  std::size_t k = from;
  for (; k + kLanes <= to; k += kLanes) {
    Vec inputs[C];
    for (std::size_t c = 0; c < C; ++c) inputs[c] = load(x + c * x_stride + k);
    for (std::size_t r = 0; r < R; ++r) {
      const Vec row = As::load_vec(w + r * w_stride + k);
      for (std::size_t c = 0; c < C; ++c) acc[r][c] = fma(row, inputs[c], acc[r][c]);
    }
  }
  if (k < to) {
    Vec inputs[C];
    for (std::size_t c = 0; c < C; ++c) inputs[c] = load_part<AsF32>(x + c * x_stride + k, to - k);
    for (std::size_t r = 0; r < R; ++r) {
      const Vec row = load_part<As>(w + r * w_stride + k, to - k);
      for (std::size_t c = 0; c < C; ++c) acc[r][c] = fma(row, inputs[c], acc[r][c]);
    }
  }
}

// R rows by C inputs, whole.
template <typename As, std::size_t R, std::size_t C>
inline void tile(const typename As::Type* w, const float* scales, std::size_t columns, const float* x,
                 std::size_t x_stride, float* y, std::size_t y_stride) {
  Vec acc[R][C];
  for (std::size_t r = 0; r < R; ++r) {
    for (std::size_t c = 0; c < C; ++c) acc[r][c] = zero();
  }
  accumulate<As, R, C>(w, columns, x, x_stride, 0, columns, acc);
  for (std::size_t c = 0; c < C; ++c) {
    for (std::size_t r = 0; r < R; ++r) {
      const float dot = sum(acc[r][c]);
      y[c * y_stride + r] = scales ? dot * scales[r] : dot;
    }
  }
}

template <typename As, std::size_t R>
inline void tiles(const typename As::Type* w, const float* scales, std::size_t columns, const float* x,
                  std::size_t x_stride, std::size_t count, float* y, std::size_t y_stride) {
  std::size_t c = 0;
  for (; c + 3 <= count; c += 3)
    tile<As, R, 3>(w, scales, columns, x + c * x_stride, x_stride, y + c * y_stride, y_stride);
  if (count - c == 2)
    tile<As, R, 2>(w, scales, columns, x + c * x_stride, x_stride, y + c * y_stride, y_stride);
  if (count - c == 1)
    tile<As, R, 1>(w, scales, columns, x + c * x_stride, x_stride, y + c * y_stride, y_stride);
}

// Columns of a widened panel that are worked on at a time, so that the panel stays in the first-level cache.
constexpr std::size_t kChunk = 1024;
// Bytes of inputs that are worked on at a time, so that they stay in the second-level cache.
constexpr std::size_t kInputBytes = std::size_t{768} << 10;

// Many inputs: the panel's weights are widened once and then used for all of them. Lanes of the sums wait in
// `sums` from one chunk of columns to the next, so the order of additions is that of tile().
template <typename As>
inline void wide_panel(const typename As::Type* w, const float* scales, std::size_t columns, const float* x,
                       std::size_t x_stride, std::size_t count, float* y, std::size_t y_stride, float* panel,
                       float* sums) {
  constexpr std::size_t R = kPanel;
  for (std::size_t from = 0; from < columns; from += kChunk) {
    const std::size_t to = from + kChunk < columns ? from + kChunk : columns;
    for (std::size_t r = 0; r < R; ++r) {
      const auto* row = w + r * columns;
      float* wide = panel + r * kChunk;
      std::size_t k = from;
      for (; k + kLanes <= to; k += kLanes) store(wide + (k - from), As::load_vec(row + k));
      for (; k < to; ++k) wide[k - from] = As::load_one(row + k);
    }
    const auto run = [&]<std::size_t C>(std::size_t c) {
      Vec acc[R][C];
      float* kept = sums + c * R * kLanes;
      for (std::size_t r = 0; r < R; ++r) {
        for (std::size_t i = 0; i < C; ++i)
          acc[r][i] = from == 0 ? zero() : load(kept + (r * C + i) * kLanes);
      }
      accumulate<AsF32, R, C>(panel, kChunk, x + c * x_stride + from, x_stride, 0, to - from, acc);
      for (std::size_t r = 0; r < R; ++r) {
        for (std::size_t i = 0; i < C; ++i) {
          if (to < columns) {
            store(kept + (r * C + i) * kLanes, acc[r][i]);
          } else {
            const float dot = sum(acc[r][i]);
            y[(c + i) * y_stride + r] = scales ? dot * scales[r] : dot;
          }
        }
      }
    };
    std::size_t c = 0;
    for (; c + 3 <= count; c += 3) run.template operator()<3>(c);
    if (count - c == 2) run.template operator()<2>(c);
    if (count - c == 1) run.template operator()<1>(c);
  }
}

template <typename As>
inline void multiply_as(const Matrix& w, std::size_t begin, std::size_t end, const float* x,
                        std::size_t x_stride, std::size_t count, float* y, std::size_t y_stride,
                        Scratch& scratch) {
  const auto* data = static_cast<const typename As::Type*>(w.data);
  const std::size_t columns = w.columns;
  if (count <= 3) {
    std::size_t n = begin;
    for (; n + kPanel <= end; n += kPanel) {
      tiles<As, kPanel>(data + n * columns, w.scales ? w.scales + n : nullptr, columns, x, x_stride, count,
                        y + n, y_stride);
    }
    for (; n < end; ++n) {
      tiles<As, 1>(data + n * columns, w.scales ? w.scales + n : nullptr, columns, x, x_stride, count, y + n,
                   y_stride);
    }
    return;
  }
  std::size_t step = kInputBytes / (columns * sizeof(float)) / 3 * 3;
  if (step < 24) step = 24;
  if (step > count) step = count;
  float* panel = scratch.floats(kPanel * kChunk + step * kPanel * kLanes);
  float* sums = panel + kPanel * kChunk;
  for (std::size_t c = 0; c < count; c += step) {
    const std::size_t here = count - c < step ? count - c : step;
    std::size_t n = begin;
    for (; n + kPanel <= end; n += kPanel) {
      wide_panel<As>(data + n * columns, w.scales ? w.scales + n : nullptr, columns, x + c * x_stride,
                     x_stride, here, y + c * y_stride + n, y_stride, panel, sums);
    }
    for (; n < end; ++n) {
      tiles<As, 1>(data + n * columns, w.scales ? w.scales + n : nullptr, columns, x + c * x_stride, x_stride,
                   here, y + c * y_stride + n, y_stride);
    }
  }
}

void multiply(const Matrix& w, std::size_t begin, std::size_t end, const float* x, std::size_t x_stride,
              std::size_t count, float* y, std::size_t y_stride, Scratch& scratch) {
  switch (w.format) {
    case Format::kF32:
      return multiply_as<AsF32>(w, begin, end, x, x_stride, count, y, y_stride, scratch);
    case Format::kBf16:
      return multiply_as<AsBf16>(w, begin, end, x, x_stride, count, y, y_stride, scratch);
    case Format::kF16:
      return multiply_as<AsF16>(w, begin, end, x, x_stride, count, y, y_stride, scratch);
    case Format::kInt8:
      return multiply_as<AsInt8>(w, begin, end, x, x_stride, count, y, y_stride, scratch);
  }
}

template <typename As>
inline void add_outer_as(const typename As::Type* b, std::size_t columns, std::size_t rank, const float* x,
                         std::size_t begin, std::size_t end, float* y) {
  std::size_t n = begin;
  for (; n + kLanes <= end; n += kLanes) {
    Vec acc = zero();
    for (std::size_t j = 0; j < rank; ++j) acc = fma(As::load_vec(b + j * columns + n), broadcast(x[j]), acc);
    store(y + n, add(load(y + n), acc));
  }
  // The same order of additions for the rest, so that where a range begins does not show. A product and a sum
  // rounded apart would: the rest goes through a vector as well.
  if (n < end) {
    Vec acc = zero();
    for (std::size_t j = 0; j < rank; ++j)
      acc = fma(load_part<As>(b + j * columns + n, end - n), broadcast(x[j]), acc);
    alignas(64) float result[kLanes];
    store(result, acc);
    for (std::size_t i = 0; n + i < end; ++i) y[n + i] += result[i];
  }
}

void add_outer(Format format, const void* b, std::size_t columns, std::size_t rank, const float* x,
               std::size_t begin, std::size_t end, float* y) {
  if (format == Format::kF32)
    return add_outer_as<AsF32>(static_cast<const float*>(b), columns, rank, x, begin, end, y);
  add_outer_as<AsBf16>(static_cast<const unsigned short*>(b), columns, rank, x, begin, end, y);
}
