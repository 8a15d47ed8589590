// An adapter's matrices in memory, laid out for the step.
//
// A is kept as it is, [rank, in]; B is turned to [rank, out], so that adding B's part reads whole rows. The
// scale goes into the small vector between them. Both are bf16 beside a half-width or int8 base, as vLLM
// keeps them, and f32 beside f32.
//
// Thread: immutable once loaded.

#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/batch/model.h"
#include "engine/model/network_weights.h"
#include "engine/ops/matrix.h"
#include "engine/weights/adapter.h"

namespace tidegate::model {

struct LoraPair {
  std::size_t rank = 0;  // 0: the projection is not adapted
  float scale = 1;
  ops::Matrix a;            // [rank, in]
  const void* b = nullptr;  // [rank, out], of a's format
};

class LoraWeights final : public batch::Adapter {
 public:
  // Errors: as weights::open_adapter; kExhausted.
  static Result<std::unique_ptr<LoraWeights>> load(const std::string& folder,
                                                   const weights::ModelConfig& config, std::size_t rank_max,
                                                   ops::Format format);

  const LoraPair& pair(std::size_t layer, weights::Projection projection) const {
    return pairs_[layer * weights::kProjections + static_cast<std::size_t>(projection)];
  }

 private:
  std::vector<LoraPair> pairs_;
  Buffer memory_;
};

}  // namespace tidegate::model
