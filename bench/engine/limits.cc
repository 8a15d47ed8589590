#include "limits.h"

#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>

#include "engine/model/buffer.h"
#include "engine/ops/kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bench {
namespace {

using namespace tidegate;  // NOLINT
using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Where results go that nobody wants, so that no compiler drops the work.
std::atomic<std::uint64_t> sink{0};

// The exclusive or of `bytes` bytes read as `streams` runs side by side.
__attribute__((target_clones("avx512f", "avx2", "default"), optimize("O3"))) std::uint64_t read_all(
    const std::byte* data, std::size_t bytes, std::size_t streams) {
  typedef std::uint64_t Line __attribute__((vector_size(64)));
  Line acc[4] = {};
  const std::size_t run = bytes / streams / sizeof(Line);
  const auto* lines = reinterpret_cast<const Line*>(data);
  for (std::size_t i = 0; i + 4 <= run; i += 4) {
    for (std::size_t s = 0; s < streams; ++s) {
      const Line* at = lines + s * run + i;
      for (std::size_t j = 0; j < 4; ++j) acc[j] ^= at[j];
    }
  }
  std::uint64_t all = 0;
  for (const Line& line : acc) {
    for (std::size_t i = 0; i < 8; ++i) all ^= line[i];
  }
  return all;
}

#if defined(__x86_64__)
// Sixteen sums, enough to hide the latency of a multiply-add. Returns operations done.
__attribute__((target("avx512f"), optimize("O3"))) double spin_avx512(std::size_t rounds) {
  __m512 acc[16];
  for (auto& a : acc) a = _mm512_set1_ps(1.0F);
  const __m512 b = _mm512_set1_ps(0.999F), c = _mm512_set1_ps(0.001F);
  for (std::size_t i = 0; i < rounds; ++i) {
    for (auto& a : acc) a = _mm512_fmadd_ps(a, b, c);
  }
  __m512 all = acc[0];
  for (const auto& a : acc) all = _mm512_add_ps(all, a);
  sink += static_cast<std::uint64_t>(_mm512_cvtss_f32(all));
  return static_cast<double>(rounds) * 16 * 16 * 2;
}
__attribute__((target("avx2,fma"), optimize("O3"))) double spin_avx2(std::size_t rounds) {
  __m256 acc[12];
  for (auto& a : acc) a = _mm256_set1_ps(1.0F);
  const __m256 b = _mm256_set1_ps(0.999F), c = _mm256_set1_ps(0.001F);
  for (std::size_t i = 0; i < rounds; ++i) {
    for (auto& a : acc) a = _mm256_fmadd_ps(a, b, c);
  }
  __m256 all = acc[0];
  for (const auto& a : acc) all = _mm256_add_ps(all, a);
  sink += static_cast<std::uint64_t>(_mm256_cvtss_f32(all));
  return static_cast<double>(rounds) * 12 * 8 * 2;
}
#endif

double spin_scalar(std::size_t rounds) {
  float acc[8] = {1, 1, 1, 1, 1, 1, 1, 1};
  for (std::size_t i = 0; i < rounds; ++i) {
    for (float& a : acc) a = a * 0.999F + 0.001F;
  }
  for (const float a : acc) sink += static_cast<std::uint64_t>(a);
  return static_cast<double>(rounds) * 8 * 2;
}

}  // namespace

double read_bandwidth(ops::Pool& pool) {
  constexpr std::size_t kBytes = std::size_t{1} << 30;
  auto buffer = model::Buffer::make(kBytes);
  if (!buffer) return 0;
  auto* data = static_cast<std::byte*>(buffer->data());
  const std::size_t piece = kBytes / (pool.threads() * 4);
  pool.run(kBytes, piece, [&](std::size_t begin, std::size_t end, ops::Scratch&) {
    for (std::size_t i = begin; i < end; i += 64) data[i] = static_cast<std::byte>(i >> 6);
  });
  double best = 0;
  for (int pass = 0; pass < 10; ++pass) {
    const std::size_t streams = pass % 2 == 0 ? 1 : 8;
    const auto start = Clock::now();
    pool.run(kBytes, piece, [&](std::size_t begin, std::size_t end, ops::Scratch&) {
      sink += read_all(data + begin, end - begin, streams);
    });
    best = std::max(best, static_cast<double>(kBytes) / since(start));
  }
  return best;
}

double multiply_add_peak(ops::Pool& pool) {
  auto spin = spin_scalar;
#if defined(__x86_64__)
  if (ops::best_isa() == ops::Isa::kAvx2) spin = spin_avx2;
  if (ops::best_isa() == ops::Isa::kAvx512) spin = spin_avx512;
#endif
  double best = 0;
  for (int pass = 0; pass < 5; ++pass) {
    constexpr std::size_t kRounds = 2'000'000;
    const auto start = Clock::now();
    std::atomic<std::uint64_t> operations{0};
    pool.run(pool.threads() * 4, 1, [&](std::size_t begin, std::size_t end, ops::Scratch&) {
      for (std::size_t i = begin; i < end; ++i) operations += static_cast<std::uint64_t>(spin(kRounds));
    });
    best = std::max(best, static_cast<double>(operations.load()) / since(start));
  }
  return best;
}

Blas::Blas(const std::string& path, std::size_t threads) : name_(path) {
  void* library = path.empty() ? nullptr : ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) return;
  const auto find = [&](const char* plain, const char* wide) {
    void* symbol = ::dlsym(library, plain);
    wide_ = symbol == nullptr;
    return symbol ? symbol : ::dlsym(library, wide);
  };
  if (void* set = find("openblas_set_num_threads", "scipy_openblas_set_num_threads64_"))
    reinterpret_cast<void (*)(int)>(set)(static_cast<int>(threads));
  if (void* config = find("openblas_get_corename", "scipy_openblas_get_corename64_"))
    name_ += std::string(" (") + reinterpret_cast<const char* (*)()>(config)() + ")";
  call_ = find("cblas_sgemm", "scipy_cblas_sgemm64_");
  ok_ = call_ != nullptr;
}

double Blas::seconds(std::size_t m, std::size_t n, std::size_t k) const {
  std::vector<float> x(m * k, 0.5F), w(n * k, 0.25F), y(m * n);
  constexpr int kRowMajor = 101, kAsIs = 111, kTurned = 112;
  const auto run = [&]<typename Int>() {
    using Sgemm = void (*)(int, int, int, Int, Int, Int, float, const float*, Int, const float*, Int, float,
                           float*, Int);
    const auto i = [](std::size_t number) { return static_cast<Int>(number); };
    reinterpret_cast<Sgemm>(call_)(kRowMajor, kAsIs, kTurned, i(m), i(n), i(k), 1.0F, x.data(), i(k),
                                   w.data(), i(k), 0.0F, y.data(), i(n));
  };
  double best = 1e30;
  for (int pass = 0; pass < 5; ++pass) {
    const auto start = Clock::now();
    if (wide_) {
      run.operator()<std::int64_t>();
    } else {
      run.operator()<int>();
    }
    best = std::min(best, since(start));
  }
  return best;
}

}  // namespace bench
