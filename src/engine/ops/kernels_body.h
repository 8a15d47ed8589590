// The other kernels and their table; includes kernels_product.h, which says what the including file must
// define.

#pragma once

#include "engine/ops/kernels_product.h"

void rms_norm(const float* x, const float* weight, float eps, std::size_t count, float* y) {
  Vec acc = zero();
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const Vec v = load(x + i);
    acc = fma(v, v, acc);
  }
  if (i < count) {
    const Vec v = load_part<AsF32>(x + i, count - i);
    acc = fma(v, v, acc);
  }
  const float inverse = 1.0F / __builtin_sqrtf(sum(acc) / static_cast<float>(count) + eps);
  for (i = 0; i + kLanes <= count; i += kLanes)
    store(y + i, mul(mul(load(x + i), broadcast(inverse)), load(weight + i)));
  for (; i < count; ++i) y[i] = x[i] * inverse * weight[i];
}

void rotate(float* head, const float* cosine, const float* sine, std::size_t half) {
  for (std::size_t i = 0; i < half; ++i) {
    const float a = head[i], b = head[i + half];
    head[i] = a * cosine[i] - b * sine[i];
    head[i + half] = b * cosine[i] + a * sine[i];
  }
}

void silu_times(float* gate, const float* up, std::size_t count) {
  const auto silu = [](Vec g, Vec u) {
    const Vec one = broadcast(1.0F);
    return mul(divide(g, add(one, exp_of(mul(g, broadcast(-1.0F))))), u);
  };
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(gate + i, silu(load(gate + i), load(up + i)));
  if (i < count) {
    alignas(64) float result[kLanes];
    store(result, silu(load_part<AsF32>(gate + i, count - i), load_part<AsF32>(up + i, count - i)));
    for (std::size_t k = 0; i + k < count; ++k) gate[i + k] = result[k];
  }
}

void add_to(float* y, const float* x, std::size_t count) {
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(y + i, add(load(y + i), load(x + i)));
  for (; i < count; ++i) y[i] += x[i];
}

float largest(const float* x, std::size_t count) {
  Vec best = broadcast(x[0]);
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) best = max(best, load(x + i));
  float result = highest(best);
  for (; i < count; ++i) result = x[i] > result ? x[i] : result;
  return result;
}

double exp_shifted(const float* x, float shift, std::size_t count, float* y) {
  double total = 0;
  const Vec back = broadcast(-shift);
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const Vec e = exp_of(add(load(x + i), back));
    store(y + i, e);
    total += sum(e);
  }
  if (i < count) {
    alignas(64) float result[kLanes];
    store(result, exp_of(add(load_part<AsF32>(x + i, count - i), back)));
    for (std::size_t k = 0; i + k < count; ++k) {
      y[i + k] = result[k];
      total += result[k];
    }
  }
  return total;
}

template <typename As>
inline void attend_as(const Attention& a, Scratch& scratch) {
  using Type = typename As::Type;
  const std::size_t d = a.head_dim, count = a.last - a.first + 1;
  // Rows are padded, so that no head's scores share a vector with another's.
  const std::size_t row = (count + kLanes - 1) / kLanes * kLanes;
  float* scores = scratch.floats(a.heads * row + d);
  float* wide = scores + a.heads * row;
  const auto place = [&](std::size_t position) {
    return std::size_t{a.blocks[position / a.block_tokens]} * a.block_stride + position % a.block_tokens * d;
  };
  const std::size_t whole = d / kLanes * kLanes;
  for (std::size_t j = 0; j < count; ++j) {
    const Type* key = static_cast<const Type*>(a.keys) + place(a.first + j);
    for (std::size_t h = 0; h < a.heads; ++h) {
      const float* query = a.query + h * d;
      Vec acc = zero();
      for (std::size_t i = 0; i < whole; i += kLanes) acc = fma(load(query + i), As::load_vec(key + i), acc);
      if (whole < d)
        acc = fma(load_part<AsF32>(query + whole, d - whole), load_part<As>(key + whole, d - whole), acc);
      scores[h * row + j] = sum(acc) * a.scale;
    }
  }
  for (std::size_t h = 0; h < a.heads; ++h) {
    float* mine = scores + h * row;
    const double total = exp_shifted(mine, largest(mine, count), count, mine);
    const float inverse = static_cast<float>(1.0 / total);
    for (std::size_t j = 0; j < count; ++j) mine[j] *= inverse;
    for (std::size_t i = 0; i < d; ++i) a.out[h * d + i] = 0;
  }
  for (std::size_t j = 0; j < count; ++j) {
    const Type* value = static_cast<const Type*>(a.values) + place(a.first + j);
    for (std::size_t i = 0; i < whole; i += kLanes) store(wide + i, As::load_vec(value + i));
    for (std::size_t i = whole; i < d; ++i) wide[i] = As::load_one(value + i);
    for (std::size_t h = 0; h < a.heads; ++h) {
      float* out = a.out + h * d;
      const float share = scores[h * row + j];
      for (std::size_t i = 0; i < whole; i += kLanes)
        store(out + i, fma(broadcast(share), load(wide + i), load(out + i)));
      for (std::size_t i = whole; i < d; ++i) out[i] += share * wide[i];
    }
  }
}

void attend(const Attention& a, Scratch& scratch) {
  if (a.format == Format::kF32) return attend_as<AsF32>(a, scratch);
  attend_as<AsBf16>(a, scratch);
}

void store_as(Format format, const float* x, std::size_t count, void* to) {
  if (format == Format::kF32) {
    __builtin_memcpy(to, x, count * sizeof(float));
    return;
  }
  auto* half = static_cast<unsigned short*>(to);
  for (std::size_t i = 0; i < count; ++i) half[i] = to_bf16(x[i]);
}

template <typename As>
inline void widen_as(const void* data, std::size_t offset, std::size_t count, float* to) {
  const auto* from = static_cast<const typename As::Type*>(data) + offset;
  for (std::size_t i = 0; i < count; ++i) to[i] = As::load_one(from + i);
}

void widen(const Matrix& w, std::size_t row, float* to) {
  const std::size_t offset = row * w.columns;
  switch (w.format) {
    case Format::kF32:
      return widen_as<AsF32>(w.data, offset, w.columns, to);
    case Format::kBf16:
      return widen_as<AsBf16>(w.data, offset, w.columns, to);
    case Format::kF16:
      return widen_as<AsF16>(w.data, offset, w.columns, to);
    case Format::kInt8:
      widen_as<AsInt8>(w.data, offset, w.columns, to);
      for (std::size_t i = 0; i < w.columns; ++i) to[i] *= w.scales[row];
  }
}

constexpr Kernels table(const char* name) {
  return {name,   multiply, add_outer, rms_norm, rotate,      silu_times,
          add_to, attend,   store_as,  widen,    exp_shifted, largest};
}
