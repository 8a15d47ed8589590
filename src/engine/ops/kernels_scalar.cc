// The edition for any processor.

#include "engine/ops/kernels.h"
#include "engine/ops/kernels_editions.h"

namespace tidegate::ops {
namespace {

constexpr std::size_t kLanes = 1, kWidest = 4;
constexpr std::size_t rows_beside(std::size_t inputs) { return inputs == 1 ? 4 : 2; }

struct Vec {
  float v;
};

inline Vec zero() { return {0.0F}; }
inline Vec broadcast(float f) { return {f}; }
inline Vec load(const float* p) { return {*p}; }
inline void store(float* p, Vec v) { *p = v.v; }
inline Vec add(Vec a, Vec b) { return {a.v + b.v}; }
inline Vec mul(Vec a, Vec b) { return {a.v * b.v}; }
inline Vec divide(Vec a, Vec b) { return {a.v / b.v}; }
inline Vec fma(Vec a, Vec b, Vec c) { return {a.v * b.v + c.v}; }
inline Vec max(Vec a, Vec b) { return a.v > b.v ? a : b; }
inline float sum(Vec a) { return a.v; }
inline float highest(Vec a) { return a.v; }
inline Vec exp_of(Vec a) { return {__builtin_expf(a.v)}; }

inline float from_bf16(unsigned short bits);
inline float from_f16(unsigned short bits);
inline Vec load_bf16(const unsigned short* p) { return {from_bf16(*p)}; }
inline Vec load_f16(const unsigned short* p) { return {from_f16(*p)}; }
inline Vec load_i8(const signed char* p) { return {static_cast<float>(*p)}; }

#include "engine/ops/kernels_body.h"

constexpr Kernels kTable = table("scalar");

}  // namespace

const Kernels& scalar_kernels() { return kTable; }

}  // namespace tidegate::ops
