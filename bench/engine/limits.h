// What this machine can do at most, measured: the figures that the engine's are held against.
//
// Thread: each call uses the pool's threads and returns when they are done.

#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "engine/ops/pool.h"

namespace bench {

// Bytes per second that all threads together read from memory far larger than the caches: the best of several
// passes, with one stream per thread and with eight.
double read_bandwidth(tidegate::ops::Pool& pool);

// Floating-point operations per second of fused multiply-adds between registers, all threads together.
double multiply_add_peak(tidegate::ops::Pool& pool);

// A library's single-precision matrix product, found at run time, so that nothing needs it to build.
class Blas {
 public:
  // `path` of a libopenblas (Debian's, or the one inside NumPy's wheel). Without one, ok() is false.
  Blas(const std::string& path, std::size_t threads);
  bool ok() const { return ok_; }
  std::string describe() const { return name_; }

  // Seconds for y[m, n] = x[m, k] * w[n, k] transposed, the best of some runs.
  double seconds(std::size_t m, std::size_t n, std::size_t k) const;

 private:
  bool ok_ = false, wide_ = false;  // wide: integers are 64 bits long
  void* call_ = nullptr;
  std::string name_;
};

}  // namespace bench
