// The weights of a transformer, ready to compute with.
//
// Matrices in bf16, f16 or f32 are used where the file has them, mapped and shared; what is misaligned or to
// be quantised is copied, and all of a large model where memory allows. Norms and biases are widened to
// floats.
//
// Thread: immutable once loaded.

#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/model/buffer.h"
#include "engine/ops/matrix.h"
#include "engine/ops/pool.h"
#include "engine/weights/adapter.h"
#include "engine/weights/checkpoint.h"
#include "engine/weights/model_config.h"

namespace tidegate::model {

struct Linear {
  ops::Matrix matrix;
  std::vector<float> bias;  // empty: none
};

struct LayerWeights {
  std::vector<float> norm1, norm2;
  std::vector<float> q_norm, k_norm;                 // empty: none
  std::array<Linear, weights::kProjections> linear;  // by weights::Projection
};

// What matrices are turned into when they are loaded.
enum class Precision {
  kAsStored,
  kInt8,  // one scale per row, symmetric; activations stay floats
};

struct NetworkWeights {
  weights::ModelConfig config;
  ops::Matrix embedding, head;
  std::vector<float> norm;
  std::vector<LayerWeights> layers;
  std::size_t bytes = 0;  // that one step reads

  std::shared_ptr<const weights::Checkpoint> checkpoint;  // keeps mapped matrices alive
  std::vector<Buffer> copies;
};

// Told how many of how many parts are ready.
using Progress = std::function<void(std::size_t done, std::size_t all)>;

// Errors: kInvalid for a missing tensor, a wrong shape or type; kExhausted if copies do not fit.
Result<NetworkWeights> load_weights(weights::ModelConfig config, weights::Checkpoint checkpoint,
                                    Precision precision, ops::Pool& pool, const Progress& progress = {});

// Floats of a tensor of any of the three float types.
void to_floats(const weights::Tensor& tensor, float* to);

}  // namespace tidegate::model
