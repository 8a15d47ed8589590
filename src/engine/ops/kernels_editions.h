// The tables that kernels_*.cc make, for dispatch.cc alone. Compiled in only where the compiler knows the
// processor.

#pragma once

#include "engine/ops/kernels.h"

namespace tidegate::ops {

const Kernels& scalar_kernels();
#if defined(__x86_64__)
const Kernels& avx2_kernels();
const Kernels& avx512_kernels();
#endif

}  // namespace tidegate::ops
