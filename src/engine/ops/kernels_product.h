// The products, written once over a small vector type that the including file defines:
//
//   struct Vec { ... };  constexpr std::size_t kLanes, kWidest;  rows_beside(inputs)
//   zero() broadcast(f) load(p) store(p, v) load_bf16(p) load_f16(p) load_i8(p)
//   add(a, b) mul(a, b) divide(a, b) fma(a, b, c) [a*b+c] max(a, b) sum(v) highest(v) exp_of(v)
//
// It is included by kernels_*.cc inside an unnamed namespace, each compiled for its own instruction set; it
// uses no standard templates, so that no inline function compiled for a newer processor can be picked by the
// linker for all.

#pragma once

// Small loops over a tile are unrolled whole; else its sums would live in memory.
#if defined(__clang__)
#define TG_UNROLL _Pragma("clang loop unroll(full)")
#else
#define TG_UNROLL _Pragma("GCC unroll 32")
#endif

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

// R weight rows by C inputs over `count` columns: acc[r][c] += w[r] . x[c], lane by lane. With `ahead`,
// weights that many bytes further on are asked for: rows are short and cut in columns, which no hardware's
// guess follows.
template <typename As, std::size_t R, std::size_t C>
inline void accumulate(const typename As::Type* w, std::size_t w_stride, const float* x, std::size_t x_stride,
                       std::size_t count, std::size_t ahead, Vec (&acc)[R][C]) {
  // What waits in registers is the shorter side: rows beside many inputs, inputs beside many rows.
  const auto step = [&](std::size_t k) {
    if constexpr (C > R) {
      Vec rows[R];
      TG_UNROLL
      for (std::size_t r = 0; r < R; ++r) rows[r] = As::load_vec(w + r * w_stride + k);
      TG_UNROLL
      for (std::size_t c = 0; c < C; ++c) {
        const Vec input = load(x + c * x_stride + k);
        TG_UNROLL
        for (std::size_t r = 0; r < R; ++r) acc[r][c] = fma(rows[r], input, acc[r][c]);
      }
    } else {
      Vec inputs[C];
      TG_UNROLL
      for (std::size_t c = 0; c < C; ++c) inputs[c] = load(x + c * x_stride + k);
      TG_UNROLL
      for (std::size_t r = 0; r < R; ++r) {
        const Vec row = As::load_vec(w + r * w_stride + k);
        TG_UNROLL
        for (std::size_t c = 0; c < C; ++c) acc[r][c] = fma(row, inputs[c], acc[r][c]);
      }
    }
  };
  std::size_t k = 0;
  constexpr std::size_t kLine = 64 / sizeof(typename As::Type),
                        kSteps = kLine / kLanes < 4 ? kLine / kLanes : 4;
  for (; k + kSteps * kLanes <= count; k += kSteps * kLanes) {
    if (ahead > 0) {
      TG_UNROLL
      for (std::size_t r = 0; r < R; ++r)
        __builtin_prefetch(reinterpret_cast<const char*>(w + r * w_stride + k) + ahead, 0, 2);
    }
    TG_UNROLL
    for (std::size_t i = 0; i < kSteps; ++i) step(k + i * kLanes);
  }
  for (; k + kLanes <= count; k += kLanes) step(k);
  if (k < count) {
    Vec inputs[C];
    TG_UNROLL
    for (std::size_t c = 0; c < C; ++c) inputs[c] = load_part<AsF32>(x + c * x_stride + k, count - k);
    TG_UNROLL
    for (std::size_t r = 0; r < R; ++r) {
      const Vec row = load_part<As>(w + r * w_stride + k, count - k);
      TG_UNROLL
      for (std::size_t c = 0; c < C; ++c) acc[r][c] = fma(row, inputs[c], acc[r][c]);
    }
  }
}

// R weight rows by C inputs over columns [from, to) of `columns`. Lanes of the sums wait in `kept` from one
// run of columns to the next, so that cutting the columns changes no addition.
template <typename As, std::size_t R, std::size_t C>
inline void tile(const typename As::Type* w, std::size_t w_stride, const float* scales, std::size_t columns,
                 const float* x, std::size_t x_stride, std::size_t from, std::size_t to, std::size_t ahead,
                 float* kept, float* y, std::size_t y_stride) {
  Vec acc[R][C];
  TG_UNROLL
  for (std::size_t r = 0; r < R; ++r) {
    TG_UNROLL
    for (std::size_t c = 0; c < C; ++c) acc[r][c] = from == 0 ? zero() : load(kept + (r * C + c) * kLanes);
  }
  accumulate<As, R, C>(w, w_stride, x + from, x_stride, to - from, ahead, acc);
  if (to < columns) {
    TG_UNROLL
    for (std::size_t r = 0; r < R; ++r) {
      TG_UNROLL
      for (std::size_t c = 0; c < C; ++c) store(kept + (r * C + c) * kLanes, acc[r][c]);
    }
    return;
  }
  TG_UNROLL
  for (std::size_t c = 0; c < C; ++c) {
    TG_UNROLL
    for (std::size_t r = 0; r < R; ++r) {
      const float dot = sum(acc[r][c]);
      y[c * y_stride + r] = scales ? dot * scales[r] : dot;
    }
  }
}

// Rows and columns that are worked on at a time: the inputs' columns stay in the first-level cache for all
// the rows, the rows in the second for all the inputs.
constexpr std::size_t kBlockRows = 48, kBlockBytes = std::size_t{256} << 10, kChunk = 512;
// Blocks are multiples of this many rows, and so of all that rows_beside() gives.
constexpr std::size_t kRowsUnit = 12;
// How many rows ahead weights are asked for, at most. Of few rows it is a quarter, so that the matrices of an
// adapter, which no other rows follow, are asked for themselves.
constexpr std::size_t kAheadRows = 16;
inline std::size_t ahead_rows(std::size_t rows) {
  return rows < 16 ? 4 : rows / 4 < kAheadRows ? rows / 4 : kAheadRows;
}

// The weight rows [begin, end), at most kBlockRows, by C inputs.
template <typename As, std::size_t C>
inline void block(const Matrix& w, std::size_t begin, std::size_t end, const float* x, std::size_t x_stride,
                  float* y, std::size_t y_stride, std::size_t ahead, float* sums) {
  constexpr std::size_t R = rows_beside(C);
  const std::size_t columns = w.columns;
  const std::size_t chunk = C <= 2 ? columns : kChunk;
  for (std::size_t from = 0; from < columns; from += chunk) {
    const std::size_t to = columns - from < chunk ? columns : from + chunk;
    const auto run = [&]<std::size_t Rows>(std::size_t n) {
      tile<As, Rows, C>(static_cast<const typename As::Type*>(w.data) + n * columns + from, columns,
                        w.scales ? w.scales + n : nullptr, columns, x, x_stride, from, to, ahead,
                        sums + (n - begin) * C * kLanes, y + n, y_stride);
    };
    std::size_t n = begin;
    for (; n + R <= end; n += R) run.template operator()<R>(n);
    for (; n < end; ++n) run.template operator()<1>(n);
  }
}

// block() for a number of inputs that is known only at run time, 1 to kWidest.
template <typename As, std::size_t C = 1>
inline void block_of(std::size_t inputs, const Matrix& w, std::size_t begin, std::size_t end, const float* x,
                     std::size_t x_stride, float* y, std::size_t y_stride, std::size_t ahead, float* sums) {
  if (inputs == C) return block<As, C>(w, begin, end, x, x_stride, y, y_stride, ahead, sums);
  if constexpr (C < kWidest)
    block_of<As, C + 1>(inputs, w, begin, end, x, x_stride, y, y_stride, ahead, sums);
}

// Weights are widened as they are read, for up to kWidest inputs at once. How many rows go with them is what
// the registers hold.
template <typename As>
inline void blocks(const Matrix& w, std::size_t begin, std::size_t end, const float* x, std::size_t x_stride,
                   std::size_t count, float* y, std::size_t y_stride, float* sums) {
  // Even parts: nine inputs are five and four, not eight and one.
  const std::size_t parts = (count + kWidest - 1) / kWidest;
  const std::size_t row_bytes = w.columns * sizeof(typename As::Type);
  std::size_t rows = kBlockBytes / row_bytes / kRowsUnit * kRowsUnit;
  rows = rows < kRowsUnit ? kRowsUnit : rows > kBlockRows ? kBlockRows : rows;
  const std::size_t far = ahead_rows(end - begin) < rows ? ahead_rows(end - begin) : rows;
  for (std::size_t n = begin; n < end; n += rows) {
    const std::size_t to = end - n < rows ? end : n + rows;
    for (std::size_t part = 0; part < parts; ++part) {
      const std::size_t first = part * count / parts, c = (part + 1) * count / parts - first;
      const std::size_t ahead = part > 0 ? 0 : far * row_bytes;
      block_of<As>(c, w, n, to, x + first * x_stride, x_stride, y + first * y_stride, y_stride, ahead, sums);
    }
  }
}

// Bytes of inputs that are worked on at a time, so that they stay in the second-level cache.
constexpr std::size_t kInputBytes = std::size_t{512} << 10;

template <typename As>
inline void multiply_as(const Matrix& w, std::size_t begin, std::size_t end, const float* x,
                        std::size_t x_stride, std::size_t count, float* y, std::size_t y_stride,
                        Scratch& scratch) {
  const std::size_t columns = w.columns;
  float* sums = scratch.floats(kBlockRows * kWidest * kLanes);
  const std::size_t most = kInputBytes / (columns * sizeof(float)) / kWidest * kWidest;
  const std::size_t step = most < kWidest ? kWidest : most;
  for (std::size_t c = 0; c < count; c += step) {
    const std::size_t here = count - c < step ? count - c : step;
    blocks<As>(w, begin, end, x + c * x_stride, x_stride, here, y + c * y_stride, y_stride, sums);
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

// How far ahead add_outer() asks for what it reads, in bytes of each of its many short runs.
constexpr std::size_t kOuterAhead = 256;

template <typename As>
inline void add_outer_as(const typename As::Type* b, std::size_t columns, std::size_t rank, const float* x,
                         std::size_t begin, std::size_t end, float* y) {
  constexpr std::size_t kVecs = 2;  // of bf16 a whole line of memory
  std::size_t n = begin;
  for (; n + kVecs * kLanes <= end; n += kVecs * kLanes) {
    Vec acc[kVecs];
    for (Vec& v : acc) v = zero();
    for (std::size_t j = 0; j < rank; ++j) {
      const auto* at = b + j * columns + n;
      __builtin_prefetch(reinterpret_cast<const char*>(at) + kOuterAhead, 0, 3);
      const Vec factor = broadcast(x[j]);
      TG_UNROLL
      for (std::size_t i = 0; i < kVecs; ++i) acc[i] = fma(As::load_vec(at + i * kLanes), factor, acc[i]);
    }
    TG_UNROLL
    for (std::size_t i = 0; i < kVecs; ++i) store(y + n + i * kLanes, add(load(y + n + i * kLanes), acc[i]));
  }
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
