// The transformer itself: hidden states of many sequences in one pass, over a paged cache of keys and values.
//
// One pass computes rows; a row is one token of one sequence at one position. Sequences may differ in length,
// adapter and history. What a row becomes depends on its own sequence alone, to the last bit (see
// ops/kernels.h).
//
//   u = norm(x)            q, k, v = W u + bias + adapter      [norm per head]  turn by position   keep k, v
//   x += W_o attention     u = norm(x)     x += W_down (silu(W_gate u) * W_up u)
//
// Every product runs over the whole batch at once; an adapter's part is added per run of rows that share it:
// first the small vectors A u of all runs, then, with each piece of the product, B times them.
//
// Thread: one thread at a time; the pool's threads take part.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "engine/batch/model.h"
#include "engine/model/buffer.h"
#include "engine/model/lora_weights.h"
#include "engine/model/network_weights.h"
#include "engine/ops/kernels.h"
#include "engine/ops/pool.h"

namespace tidegate::model {

// Consecutive tokens of one sequence.
struct Stretch {
  std::span<const batch::Token> tokens;
  std::size_t start = 0;  // position of the first
  std::span<const batch::BlockId> blocks;
  std::int32_t adapter_slot = batch::kBaseModel;
};

// What the residual stream was after each layer, for tests: layers + 1 entries, the embedding first.
using Trace = std::vector<std::vector<float>>;

class Network {
 public:
  // All outlive the network.
  Network(const NetworkWeights& weights, ops::Pool& pool, const ops::Kernels& kernels);

  // Memory for a capacity; `kv` is kF32 or kBf16.
  // Errors: kExhausted.
  Result<void> reserve(const batch::Capacity& capacity, ops::Format kv);

  void set_adapter(std::int32_t slot, const LoraWeights* adapter);

  // Computes all rows of all stretches, in order. Stretches that share an adapter are best neighbours.
  // Requires: reserve() came first, and what it was told is kept.
  void forward(std::span<const Stretch> stretches, Trace* trace = nullptr);

  // Logits of tokens 0 .. tokens - 1 after some rows of the last forward(), `tokens` floats for each.
  void logits(std::span<const std::size_t> rows, std::size_t tokens, float* out);

 private:
  struct Row {
    const Stretch* stretch;
    std::size_t position;
  };
  struct Run {  // rows of one adapter
    const LoraWeights* adapter;
    std::size_t begin, end;
  };
  // One product of a region: y = W x + ...
  struct Product {
    weights::Projection projection;
    float* y;
    std::size_t y_stride;
    float* low;  // A x of each row
  };

  void plan(std::span<const Stretch> stretches);
  void embed();
  void turn_table();
  void shrink(std::size_t layer, std::span<const Product> products, const float* x, std::size_t x_stride);
  void project(std::size_t layer, const Product& product, const float* x, std::size_t x_stride,
               std::size_t begin, std::size_t end, ops::Scratch& scratch);
  void attention(std::size_t layer);
  void keep(std::size_t layer, std::size_t row);
  void mlp(std::size_t layer);
  void normalise(const std::vector<float>& weight);
  // Runs a region's products piece by piece, then `after(product, begin, end)` on each piece.
  template <typename After>
  void region(std::size_t layer, std::span<const Product> products, const float* x, std::size_t x_stride,
              After&& after);
  std::size_t grain(std::size_t outputs, std::size_t inputs) const;

  const NetworkWeights& weights_;
  const weights::ModelConfig& config_;
  ops::Pool& pool_;
  const ops::Kernels& k_;
  std::vector<double> frequencies_;

  batch::Capacity capacity_;
  ops::Format kv_ = ops::Format::kF32;
  std::vector<Buffer> keys_, values_;  // per layer: [block][kv head][row][head_dim]
  std::vector<const LoraWeights*> slots_;

  std::vector<Row> rows_;
  std::vector<Run> runs_;
  std::vector<Run> chunks_;  // the runs in pieces of few rows
  std::size_t context_ = 0;  // positions that all rows together look at
  Buffer x_, u_, qkv_, mixed_, gate_, up_, cosine_, sine_;
  std::array<Buffer, 3> low_;
};

}  // namespace tidegate::model
