// The engine that computes: a Hugging Face folder on this machine's processors.
//
// Thread: any, once.

#pragma once

#include <cstddef>
#include <functional>

#include "base/clock.h"
#include "base/result.h"
#include "engine/serve/engine.h"

namespace tidegate::serve {

// Loads tokenizer, weights and sampling defaults of `--model`. `progress` is told how many parts of how many
// are ready. The clock outlives the parts. The cache gets --gpu-memory-utilization of memory less the
// weights, but no more than the sequences can use and no more than 4 GiB; --num-gpu-blocks-override says
// otherwise. Pages are taken when first used. Errors: kNotFound or kInvalid with the file, flag or field that
// is wrong.
Result<Parts> cpu_parts(const Flags& flags, const Clock& clock,
                        const std::function<void(std::size_t done, std::size_t all)>& progress);

}  // namespace tidegate::serve
