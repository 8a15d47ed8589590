// The batch::Model that computes: a Hugging Face folder run on this machine's processors.
//
// Thread: as batch::Model says. The thread that steps also computes, beside threads - 1 of the pool.

#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/batch/model.h"
#include "engine/guide/guide.h"
#include "engine/model/network.h"
#include "engine/model/network_weights.h"
#include "engine/ops/pool.h"
#include "engine/sample/sampler.h"

namespace tidegate::model {

struct CpuOptions {
  std::string folder;
  std::size_t threads = 0;  // 0: one per physical core that this process may use
  Precision precision = Precision::kAsStored;
  bool kv_f32 = false;            // keys and values as floats even beside half-width weights
  std::size_t vocabulary = 0;     // tokens that the tokenizer knows; rows beyond are never drawn. 0: all
  std::vector<batch::Token> eos;  // for min_tokens
  Progress progress;
};

class CpuModel final : public batch::Model {
 public:
  // Errors: as load_weights, parse_model_config and Checkpoint::open.
  static Result<std::unique_ptr<CpuModel>> load(CpuOptions options);

  const batch::ModelFacts& facts() const override { return facts_; }
  Result<void> reserve(const batch::Capacity& capacity) override;
  Result<std::unique_ptr<const batch::Adapter>> load_adapter(const batch::AdapterSpec& spec) override;
  void place_adapter(std::int32_t slot, const batch::Adapter& adapter) override;
  void clear_adapter(std::int32_t slot) override;
  Result<void> step(std::span<const batch::Segment> segments, batch::StepResult& result) override;

  const NetworkWeights& weights() const { return weights_; }
  std::size_t threads() const { return pool_.threads(); }
  const char* instruction_set() const { return kernels_.name; }

 private:
  CpuModel(CpuOptions options, std::size_t threads);

  // A row of the step whose logits are wanted.
  struct Wanted {
    std::size_t row = 0;
    const batch::Segment* segment = nullptr;
    std::size_t position = 0;  // of the row
    std::size_t sample = 0;    // place among the samples, if `draws`
    bool draws = false;
  };

  std::vector<std::shared_ptr<const guide::Mask>> guide_masks(std::span<const Wanted> wanted,
                                                              batch::StepResult& result);
  void say(std::span<const Wanted> wanted, batch::StepResult& result);

  CpuOptions options_;
  ops::Pool pool_;
  const ops::Kernels& kernels_;
  NetworkWeights weights_;
  std::unique_ptr<Network> network_;
  batch::ModelFacts facts_;
  ops::Format kv_ = ops::Format::kBf16, lora_ = ops::Format::kBf16;
  std::size_t rank_max_ = 16;

  std::vector<const batch::Segment*> order_;
  std::vector<Stretch> stretches_;
  std::vector<Wanted> wanted_;
  std::vector<std::size_t> rows_;
  Buffer logits_;
  std::vector<sample::Sampler> samplers_;
  std::vector<guide::Follower> followers_;  // by sequence slot
};

// Physical cores that this process may run on; at least 1.
std::size_t physical_cores();

}  // namespace tidegate::model
