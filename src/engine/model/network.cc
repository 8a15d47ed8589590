#include "engine/model/network.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"

namespace tidegate::model {
namespace {

using weights::Projection;

// Multiplications below which waking the other threads costs more than it saves.
constexpr std::size_t kAlone = 150'000;
// Pieces per thread: enough for a slow thread not to hold up the rest.
constexpr std::size_t kPiecesPerThread = 4;
// Outputs are cut at multiples of this, so that kernels see whole panels.
constexpr std::size_t kCut = 16;
constexpr std::size_t kChunkRows = 32;

std::size_t round_up(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }

}  // namespace

Network::Network(const NetworkWeights& weights, ops::Pool& pool, const ops::Kernels& kernels)
    : weights_(weights),
      config_(weights.config),
      pool_(pool),
      k_(kernels),
      frequencies_(inverse_frequencies(weights.config.rope, weights.config.head_dim)) {}

Result<void> Network::reserve(const batch::Capacity& capacity, ops::Format kv) {
  capacity_ = capacity;
  kv_ = kv;
  const auto& c = config_;
  std::size_t pool_bytes = ops::format_bytes(kv);
  for (const std::size_t side : {capacity.blocks, capacity.block_tokens, c.kv_heads, c.head_dim}) {
    if (__builtin_mul_overflow(pool_bytes, side, &pool_bytes)) {
      return fail(Code::kExhausted, "the key-value cache is larger than any memory; lower its size");
    }
  }
  if (pool_bytes > memory_limit() / (2 * c.layers)) {
    return fail(Code::kExhausted,
                "a key-value cache of " + std::to_string((pool_bytes >> 20) * 2 * c.layers) +
                    " MiB is more than this machine has; lower the cache size or max_model_len");
  }
  keys_.clear();
  values_.clear();
  for (std::size_t layer = 0; layer < c.layers; ++layer) {
    for (auto* list : {&keys_, &values_}) {
      auto buffer = Buffer::make(pool_bytes);
      if (!buffer) return tl::unexpected(std::move(buffer.error()));
      list->push_back(std::move(*buffer));
    }
  }
  slots_.assign(capacity.adapter_slots, nullptr);
  const std::size_t rows = std::max<std::size_t>(capacity.step_tokens_max, 1);
  const std::size_t q = c.heads * c.head_dim, kv_width = c.kv_heads * c.head_dim;
  const std::size_t low = capacity.adapter_slots > 0 ? capacity.adapter_rank_max : 0;
  const std::pair<Buffer*, std::size_t> wanted[] = {{&x_, c.hidden},
                                                    {&u_, c.hidden},
                                                    {&qkv_, q + 2 * kv_width},
                                                    {&mixed_, q},
                                                    {&gate_, c.inner},
                                                    {&up_, c.inner},
                                                    {&cosine_, c.head_dim / 2},
                                                    {&sine_, c.head_dim / 2},
                                                    {&low_[0], low},
                                                    {&low_[1], low},
                                                    {&low_[2], low}};
  for (const auto& [buffer, width] : wanted) {
    auto made = Buffer::make(rows * width * sizeof(float));
    if (!made) {
      made.error().message +=
          " for a step of " + std::to_string(rows) + " tokens; lower max_num_batched_tokens";
      return tl::unexpected(std::move(made.error()));
    }
    *buffer = std::move(*made);
  }
  return {};
}

void Network::set_adapter(std::int32_t slot, const LoraWeights* adapter) {
  TG_CHECK(slot >= 0 && static_cast<std::size_t>(slot) < slots_.size());
  slots_[static_cast<std::size_t>(slot)] = adapter;
}

// ---- one pass

void Network::forward(std::span<const Stretch> stretches, Trace* trace) {
  plan(stretches);
  if (rows_.empty()) return;
  const auto note = [&] {
    if (trace) trace->emplace_back(x_.floats(), x_.floats() + rows_.size() * config_.hidden);
  };
  embed();
  turn_table();
  note();
  for (std::size_t layer = 0; layer < config_.layers; ++layer) {
    attention(layer);
    mlp(layer);
    note();
  }
}

void Network::plan(std::span<const Stretch> stretches) {
  rows_.clear();
  runs_.clear();
  chunks_.clear();
  context_ = 0;
  for (const Stretch& stretch : stretches) {
    const std::size_t begin = rows_.size();
    for (std::size_t i = 0; i < stretch.tokens.size(); ++i) {
      rows_.push_back({&stretch, stretch.start + i});
      context_ += stretch.start + i + 1;
    }
    if (stretch.adapter_slot < 0) continue;
    const LoraWeights* adapter = slots_[static_cast<std::size_t>(stretch.adapter_slot)];
    TG_CHECK(adapter != nullptr);
    if (!runs_.empty() && runs_.back().adapter == adapter && runs_.back().end == begin) {
      runs_.back().end = rows_.size();
    } else {
      runs_.push_back({adapter, begin, rows_.size()});
    }
  }
  TG_CHECK(rows_.size() <= std::max<std::size_t>(capacity_.step_tokens_max, 1));
  for (const Run& run : runs_) {
    for (std::size_t at = run.begin; at < run.end; at += kChunkRows) {
      chunks_.push_back({run.adapter, at, std::min(at + kChunkRows, run.end)});
    }
  }
}

void Network::embed() {
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const Row& row = rows_[i];
    const auto token = row.stretch->tokens[row.position - row.stretch->start];
    float* x = x_.floats() + i * config_.hidden;
    if (token >= 0 && static_cast<std::size_t>(token) < config_.vocabulary) {
      k_.widen(weights_.embedding, static_cast<std::size_t>(token), x);
    } else {
      std::memset(x, 0, config_.hidden * sizeof(float));  // no such token: nothing is said
    }
  }
}

// Cosines and sines of every row's angles, once for all layers.
void Network::turn_table() {
  const std::size_t half = frequencies_.size();
  const double scale = config_.rope.attention_factor;
  pool_.run(rows_.size(), 16, [&](std::size_t begin, std::size_t end, ops::Scratch&) {
    for (std::size_t r = begin; r < end; ++r) {
      for (std::size_t i = 0; i < half; ++i) {
        const double angle = static_cast<double>(rows_[r].position) * frequencies_[i];
        cosine_.floats()[r * half + i] = static_cast<float>(std::cos(angle) * scale);
        sine_.floats()[r * half + i] = static_cast<float>(std::sin(angle) * scale);
      }
    }
  });
}

void Network::normalise(const std::vector<float>& weight) {
  const std::size_t h = config_.hidden;
  pool_.run(rows_.size(), std::max<std::size_t>(1, kAlone / h),
            [&](std::size_t begin, std::size_t end, ops::Scratch&) {
              for (std::size_t r = begin; r < end; ++r) {
                k_.rms_norm(x_.floats() + r * h, weight.data(), config_.norm_eps, h, u_.floats() + r * h);
              }
            });
}

std::size_t Network::grain(std::size_t outputs, std::size_t inputs) const {
  if (outputs * inputs * rows_.size() < kAlone) return outputs;
  return round_up(std::max<std::size_t>(1, outputs / (pool_.threads() * kPiecesPerThread)), kCut);
}

// A x of every adapted row, for the products of one region.
void Network::shrink(std::size_t layer, std::span<const Product> products, const float* x,
                     std::size_t x_stride) {
  if (chunks_.empty()) return;
  std::size_t work = 0;
  for (const Run& run : runs_) work += (run.end - run.begin) * run.adapter->rank * x_stride * products.size();
  const std::size_t items = chunks_.size() * products.size();
  pool_.run(items, work < kAlone ? items : 1, [&](std::size_t begin, std::size_t end, ops::Scratch& scratch) {
    for (std::size_t item = begin; item < end; ++item) {
      const Run& chunk = chunks_[item / products.size()];
      const Product& product = products[item % products.size()];
      const LoraPair& pair = chunk.adapter->pair(layer, product.projection);
      if (pair.rank == 0) continue;
      const std::size_t stride = capacity_.adapter_rank_max;
      float* low = product.low + chunk.begin * stride;
      k_.multiply(pair.a, 0, pair.rank, x + chunk.begin * x_stride, x_stride, chunk.end - chunk.begin, low,
                  stride, scratch);
      for (std::size_t r = chunk.begin; r < chunk.end; ++r, low += stride) {
        for (std::size_t j = 0; j < pair.rank; ++j) low[j] *= pair.scale;
      }
    }
  });
}

// Outputs [begin, end) of one product for all rows: base, bias, adapters.
void Network::project(std::size_t layer, const Product& product, const float* x, std::size_t x_stride,
                      std::size_t begin, std::size_t end, ops::Scratch& scratch) {
  const Linear& linear = weights_.layers[layer].linear[static_cast<std::size_t>(product.projection)];
  k_.multiply(linear.matrix, begin, end, x, x_stride, rows_.size(), product.y, product.y_stride, scratch);
  if (!linear.bias.empty()) {
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      k_.add(product.y + r * product.y_stride + begin, linear.bias.data() + begin, end - begin);
    }
  }
  for (const Run& run : runs_) {
    const LoraPair& pair = run.adapter->pair(layer, product.projection);
    if (pair.rank == 0) continue;
    for (std::size_t r = run.begin; r < run.end; ++r) {
      k_.add_outer(pair.a.format, pair.b, linear.matrix.rows, pair.rank,
                   product.low + r * capacity_.adapter_rank_max, begin, end,
                   product.y + r * product.y_stride);
    }
  }
}

template <typename After>
void Network::region(std::size_t layer, std::span<const Product> products, const float* x,
                     std::size_t x_stride, After&& after) {
  shrink(layer, products, x, x_stride);
  std::array<std::size_t, 4> first{};  // of each product in the joined outputs
  for (std::size_t i = 0; i < products.size(); ++i) {
    first[i + 1] = first[i] + projection_size(config_, products[i].projection).out;
  }
  const std::size_t outputs = first[products.size()];
  pool_.run(outputs, grain(outputs, x_stride),
            [&](std::size_t begin, std::size_t end, ops::Scratch& scratch) {
              for (std::size_t i = 0; i < products.size(); ++i) {
                const std::size_t from = std::max(begin, first[i]), to = std::min(end, first[i + 1]);
                if (from >= to) continue;
                project(layer, products[i], x, x_stride, from - first[i], to - first[i], scratch);
                after(products[i], from - first[i], to - first[i]);
              }
            });
}

// Turns one row's queries and keys by its position and puts key and value into the cache.
void Network::keep(std::size_t layer, std::size_t r) {
  const auto& c = config_;
  const std::size_t d = c.head_dim, half = d / 2;
  const LayerWeights& w = weights_.layers[layer];
  const Row& row = rows_[r];
  float* q = qkv_.floats() + r * (c.heads + 2 * c.kv_heads) * d;
  float* k = q + c.heads * d;
  const float* v = k + c.kv_heads * d;
  const float *cosine = cosine_.floats() + r * half, *sine = sine_.floats() + r * half;
  for (std::size_t h = 0; h < c.heads + c.kv_heads; ++h) {
    float* head = q + h * d;
    if (c.head_norm) k_.rms_norm(head, (h < c.heads ? w.q_norm : w.k_norm).data(), c.norm_eps, d, head);
    k_.rotate(head, cosine, sine, half);
  }
  const std::size_t block = row.stretch->blocks[row.position / capacity_.block_tokens];
  const std::size_t element = ops::format_bytes(kv_);
  for (std::size_t h = 0; h < c.kv_heads; ++h) {
    const std::size_t place =
        ((block * c.kv_heads + h) * capacity_.block_tokens + row.position % capacity_.block_tokens) * d *
        element;
    k_.store(kv_, k + h * d, d, static_cast<std::byte*>(keys_[layer].data()) + place);
    k_.store(kv_, v + h * d, d, static_cast<std::byte*>(values_[layer].data()) + place);
  }
}

void Network::attention(std::size_t layer) {
  const auto& c = config_;
  const std::size_t d = c.head_dim, width = (c.heads + 2 * c.kv_heads) * d, rows = rows_.size();
  normalise(weights_.layers[layer].norm1);
  float* qkv = qkv_.floats();
  const Product qkv_products[] = {
      {Projection::kQ, qkv, width, low_[0].floats()},
      {Projection::kK, qkv + c.heads * d, width, low_[1].floats()},
      {Projection::kV, qkv + (c.heads + c.kv_heads) * d, width, low_[2].floats()}};
  region(layer, qkv_products, u_.floats(), c.hidden, [](const Product&, std::size_t, std::size_t) {});
  pool_.run(rows, std::max<std::size_t>(1, kAlone / 4 / width),
            [&](std::size_t begin, std::size_t end, ops::Scratch&) {
              for (std::size_t r = begin; r < end; ++r) keep(layer, r);
            });

  const std::size_t items = rows * c.kv_heads, group = c.heads / c.kv_heads, window = c.window[layer];
  const bool alone = context_ * c.heads * d < kAlone;
  const std::size_t piece = alone ? items : std::max<std::size_t>(1, items / (pool_.threads() * 8));
  const std::size_t element = ops::format_bytes(kv_);
  pool_.run(items, piece, [&](std::size_t begin, std::size_t end, ops::Scratch& scratch) {
    // Neighbouring items are rows of one head, which read the same keys.
    for (std::size_t item = begin; item < end; ++item) {
      const std::size_t head = item / rows, r = item % rows;
      const Row& row = rows_[r];
      const std::size_t offset = head * capacity_.block_tokens * d * element;
      ops::Attention a;
      a.query = qkv + r * width + head * group * d;
      a.out = mixed_.floats() + (r * c.heads + head * group) * d;
      a.heads = group;
      a.head_dim = d;
      a.keys = static_cast<const std::byte*>(keys_[layer].data()) + offset;
      a.values = static_cast<const std::byte*>(values_[layer].data()) + offset;
      a.format = kv_;
      a.blocks = row.stretch->blocks.data();
      a.block_tokens = capacity_.block_tokens;
      a.block_stride = c.kv_heads * capacity_.block_tokens * d;
      a.first = window > 0 && row.position + 1 > window ? row.position + 1 - window : 0;
      a.last = row.position;
      a.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(d)));
      k_.attend(a, scratch);
    }
  });

  const Product out[] = {{Projection::kO, u_.floats(), c.hidden, low_[0].floats()}};
  region(layer, out, mixed_.floats(), c.heads * d, [&](const Product&, std::size_t begin, std::size_t end) {
    for (std::size_t r = 0; r < rows; ++r) {
      k_.add(x_.floats() + r * c.hidden + begin, u_.floats() + r * c.hidden + begin, end - begin);
    }
  });
}

void Network::mlp(std::size_t layer) {
  const auto& c = config_;
  const std::size_t rows = rows_.size();
  normalise(weights_.layers[layer].norm2);
  const Product gate{Projection::kGate, gate_.floats(), c.inner, low_[0].floats()};
  const Product up{Projection::kUp, up_.floats(), c.inner, low_[1].floats()};
  const Product both[] = {gate, up};
  shrink(layer, both, u_.floats(), c.hidden);
  // Both products of the same outputs in one piece, so that the piece can be finished while it is warm.
  pool_.run(c.inner, grain(c.inner, 2 * c.hidden),
            [&](std::size_t begin, std::size_t end, ops::Scratch& scratch) {
              for (const Product& product : both)
                project(layer, product, u_.floats(), c.hidden, begin, end, scratch);
              for (std::size_t r = 0; r < rows; ++r) {
                k_.silu_times(gate_.floats() + r * c.inner + begin, up_.floats() + r * c.inner + begin,
                              end - begin);
              }
            });
  const Product down[] = {{Projection::kDown, u_.floats(), c.hidden, low_[0].floats()}};
  region(layer, down, gate_.floats(), c.inner, [&](const Product&, std::size_t begin, std::size_t end) {
    for (std::size_t r = 0; r < rows; ++r) {
      k_.add(x_.floats() + r * c.hidden + begin, u_.floats() + r * c.hidden + begin, end - begin);
    }
  });
}

void Network::logits(std::span<const std::size_t> rows, std::size_t tokens, float* out) {
  const std::size_t h = config_.hidden;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    k_.rms_norm(x_.floats() + rows[i] * h, weights_.norm.data(), config_.norm_eps, h, u_.floats() + i * h);
  }
  const std::size_t piece = tokens * h * rows.size() < kAlone
                                ? tokens
                                : round_up(std::max<std::size_t>(1, tokens / (pool_.threads() * 8)), kCut);
  pool_.run(tokens, piece, [&](std::size_t begin, std::size_t end, ops::Scratch& scratch) {
    k_.multiply(weights_.head, begin, end, u_.floats(), h, rows.size(), out, tokens, scratch);
  });
}

}  // namespace tidegate::model
