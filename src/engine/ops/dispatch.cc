#include <cstdlib>
#include <cstring>

#include "base/check.h"
#include "engine/ops/kernels.h"
#include "engine/ops/kernels_editions.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tidegate::ops {

float* Scratch::floats(std::size_t count) {
  constexpr std::size_t kLine = 64 / sizeof(float);
  if (buffer_.size() < count + kLine) buffer_.resize(count + kLine);
  const auto address = reinterpret_cast<std::uintptr_t>(buffer_.data());
  return buffer_.data() + ((64 - address % 64) % 64) / sizeof(float);
}

bool isa_supported(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return true;
#if defined(__x86_64__)
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");  // and with it F16C
    case Isa::kAvx512:
      return isa_supported(Isa::kAvx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl");
#else
    default:
      return false;
#endif
  }
  return false;
}

Isa best_isa() {
  const char* wish = std::getenv("TIDEGATE_ISA");
  if (wish && std::strcmp(wish, "scalar") == 0) return Isa::kScalar;
  if (!(wish && std::strcmp(wish, "avx2") == 0) && isa_supported(Isa::kAvx512)) return Isa::kAvx512;
  return isa_supported(Isa::kAvx2) ? Isa::kAvx2 : Isa::kScalar;
}

const Kernels& kernels(Isa isa) {
  TG_CHECK(isa_supported(isa));
#if defined(__x86_64__)
  if (isa == Isa::kAvx512) return avx512_kernels();
  if (isa == Isa::kAvx2) return avx2_kernels();
#endif
  return scalar_kernels();
}

#if defined(__x86_64__)
namespace {
constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040;
}
FlushDenormals::FlushDenormals() : saved_(_mm_getcsr()) {
  _mm_setcsr(saved_ | kFlushToZero | kDenormalsAreZero);
}
FlushDenormals::~FlushDenormals() { _mm_setcsr(saved_); }
#else
FlushDenormals::FlushDenormals() = default;
FlushDenormals::~FlushDenormals() = default;
#endif

}  // namespace tidegate::ops
