// The engine's transformer against the reference: hidden states after every layer, logits, greedy text,
// adapters.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <numeric>

#include "base/random.h"
#include "engine/model/lora_weights.h"
#include "engine/model/network.h"
#include "engine/weights/text_file.h"
#include "random_model.h"
#include "reference.h"

namespace oracle {
namespace {

using namespace tidegate;  // NOLINT: tests read better without
using Tokens = std::vector<batch::Token>;

constexpr std::size_t kBlock = 8;

// The engine's network over a folder.
struct Engine {
  Engine(const std::string& folder, model::Precision precision = model::Precision::kAsStored,
         std::size_t threads = 2, ops::Isa isa = ops::best_isa(), bool wide_cache = true)
      : pool(threads) {
    auto config = weights::parse_model_config(*weights::read_text_file(folder + "/config.json"));
    if (!config) throw std::runtime_error(describe(config.error()));
    auto checkpoint = weights::Checkpoint::open(folder);
    if (!checkpoint) throw std::runtime_error(describe(checkpoint.error()));
    auto loaded = model::load_weights(*config, *std::move(checkpoint), precision, pool);
    if (!loaded) throw std::runtime_error(describe(loaded.error()));
    weights = std::make_unique<model::NetworkWeights>(*std::move(loaded));
    network = std::make_unique<model::Network>(*weights, pool, ops::kernels(isa));
    batch::Capacity capacity;
    capacity.blocks = 120;
    capacity.block_tokens = kBlock;
    capacity.step_tokens_max = 256;
    capacity.adapter_slots = 4;
    capacity.adapter_rank_max = 16;
    if (!network->reserve(capacity, wide_cache ? ops::Format::kF32 : ops::Format::kBf16))
      throw std::runtime_error("memory");
  }

  void adapt(std::int32_t slot, const std::string& folder, ops::Format format = ops::Format::kF32) {
    auto made = model::LoraWeights::load(folder, weights->config, 16, format);
    if (!made) throw std::runtime_error(describe(made.error()));
    adapters.push_back(*std::move(made));
    network->set_adapter(slot, adapters.back().get());
  }

  // Runs tokens in chunks over scattered blocks; hidden states per layer, all positions.
  model::Trace run(const Tokens& tokens, std::size_t chunk = 1000, std::int32_t slot = batch::kBaseModel) {
    std::vector<batch::BlockId> blocks = scattered(tokens.size());
    model::Trace all;
    for (std::size_t at = 0; at < tokens.size(); at += chunk) {
      const std::size_t count = std::min(chunk, tokens.size() - at);
      const model::Stretch stretch{std::span(tokens).subspan(at, count), at, blocks, slot};
      model::Trace trace;
      network->forward(std::span(&stretch, 1), &trace);
      all.resize(trace.size());
      for (std::size_t l = 0; l < trace.size(); ++l)
        all[l].insert(all[l].end(), trace[l].begin(), trace[l].end());
    }
    return all;
  }

  std::vector<float> logits_after(std::size_t row) {
    std::vector<float> out(weights->config.vocabulary);
    network->logits(std::span(&row, 1), out.size(), out.data());
    return out;
  }

  // Blocks in no order, none of them 0.
  std::vector<batch::BlockId> scattered(std::size_t tokens) {
    std::vector<batch::BlockId> blocks((tokens + kBlock - 1) / kBlock + 32);
    for (std::size_t i = 0; i < blocks.size(); ++i)
      blocks[i] = static_cast<batch::BlockId>(1 + (i * 37 + 11) % 113);
    return blocks;
  }

  ops::Pool pool;
  std::unique_ptr<model::NetworkWeights> weights;
  std::unique_ptr<model::Network> network;
  std::vector<std::unique_ptr<model::LoraWeights>> adapters;
};

double difference(const float* have, const Values& want) {
  double off = 0, size = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    off += (have[i] - want[i]) * (have[i] - want[i]);
    size += want[i] * want[i];
  }
  return std::sqrt(off / std::max(size, 1e-300));
}

// The largest relative difference of any layer at any position.
double worst(const model::Trace& have, const Reference::Pass& want) {
  EXPECT_EQ(have.size(), want.hidden.size());
  double result = 0;
  for (std::size_t l = 0; l < want.hidden.size(); ++l) {
    const std::size_t width = want.hidden[l][0].size();
    for (std::size_t t = 0; t < want.hidden[l].size(); ++t) {
      result = std::max(result, difference(have[l].data() + t * width, want.hidden[l][t]));
    }
  }
  return result;
}

Tokens random_tokens(std::size_t count, std::uint64_t seed, std::size_t vocabulary = 97) {
  Random random(seed);
  Tokens tokens(count);
  for (auto& t : tokens) t = static_cast<batch::Token>(random.below(vocabulary));
  return tokens;
}

struct Case {
  std::string name;
  ModelPlan plan;
};

std::vector<Case> families() {
  std::vector<Case> cases;
  const auto add = [&](const char* name, const std::function<void(ModelPlan&)>& change) {
    Case c{name, {}};
    change(c.plan);
    cases.push_back(c);
  };
  add("Llama", [](ModelPlan&) {});
  add("LlamaTiedBiased", [](ModelPlan& p) {
    p.tied = p.attention_bias = p.mlp_bias = true;
    p.kv_heads = 6;
  });
  add("Llama3Rope", [](ModelPlan& p) {
    p.more =
        R"(,"rope_theta":500000.0,"rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,)"
        R"("high_freq_factor":4.0,"original_max_position_embeddings":64})";
  });
  add("LinearRope", [](ModelPlan& p) { p.more = R"(,"rope_scaling":{"type":"linear","factor":4.0})"; });
  add("DynamicRope", [](ModelPlan& p) { p.more = R"(,"rope_scaling":{"type":"dynamic","factor":2.0})"; });
  add("Mistral", [](ModelPlan& p) { p.family = "MistralForCausalLM"; });
  add("MistralWindow", [](ModelPlan& p) {
    p.family = "MistralForCausalLM";
    p.more = R"(,"sliding_window":9)";
  });
  add("Qwen2", [](ModelPlan& p) { p.family = "Qwen2ForCausalLM"; });
  add("Qwen2YarnWindow", [](ModelPlan& p) {
    p.family = "Qwen2ForCausalLM";
    p.more = R"(,"use_sliding_window":true,"sliding_window":7,"max_window_layers":1,)"
             R"("rope_scaling":{"type":"yarn","factor":4.0,"original_max_position_embeddings":64})";
  });
  add("Qwen3", [](ModelPlan& p) {
    p.family = "Qwen3ForCausalLM";
    p.head_dim = 20;  // heads * head_dim differs from hidden
    p.tied = true;
  });
  add("OddSizes", [](ModelPlan& p) {
    p.hidden = 35;
    p.inner = 61;
    p.heads = 3;
    p.kv_heads = 1;
    p.head_dim = 10;
    p.vocabulary = 101;
  });
  return cases;
}

class EachFamily : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/oracle_" + GetParam().name;
    write_model(folder_, GetParam().plan, 20);
  }
  std::string folder_;
};

std::string case_name(const testing::TestParamInfo<Case>& c) { return c.param.name; }
INSTANTIATE_TEST_SUITE_P(Oracle, EachFamily, testing::ValuesIn(families()), case_name);

TEST_P(EachFamily, HiddenStatesAndLogitsMatchInEveryEdition) {
  const Reference reference(folder_);
  const Tokens tokens = random_tokens(41, 1);
  const auto want = reference.run(tokens);
  for (const ops::Isa isa : {ops::Isa::kScalar, ops::Isa::kAvx2, ops::Isa::kAvx512}) {
    if (!ops::isa_supported(isa)) continue;
    Engine engine(folder_, model::Precision::kAsStored, 2, isa);
    EXPECT_LT(worst(engine.run(tokens), want), 1e-5);
    const auto logits = engine.logits_after(40);
    EXPECT_LT(difference(logits.data(), want.logits[40]), 1e-5);
  }
}

// Two hundred greedy tokens, one by one, are those that the reference finds.
TEST_P(EachFamily, GreedyTextMatches) {
  const Reference reference(folder_);
  Engine engine(folder_);
  Tokens tokens = random_tokens(5, 2);
  const auto blocks = engine.scattered(256);
  std::size_t computed = 0;
  while (tokens.size() < 205) {
    const model::Stretch stretch{std::span(tokens).subspan(computed), computed, blocks, batch::kBaseModel};
    engine.network->forward(std::span(&stretch, 1));
    const auto logits = engine.logits_after(tokens.size() - computed - 1);
    computed = tokens.size();
    tokens.push_back(
        static_cast<batch::Token>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
  }
  // One pass of the reference over the whole text says what it would have drawn at each place.
  const auto want = reference.run(tokens);
  for (std::size_t t = 4; t + 1 < tokens.size(); ++t) {
    const Values& l = want.logits[t];
    ASSERT_EQ(tokens[t + 1], std::max_element(l.begin(), l.end()) - l.begin()) << "at " << t;
  }
}

TEST_P(EachFamily, ChunkedWholePagedAndBatchedAreTheSameBits) {
  const Tokens tokens = random_tokens(50, 3), other = random_tokens(30, 4), third = random_tokens(9, 5);
  Engine engine(folder_);
  const auto whole = engine.run(tokens);
  for (const std::size_t chunk : {1, 7, 16}) EXPECT_EQ(engine.run(tokens, chunk), whole);
  // In order and one after another instead of scattered.
  std::vector<batch::BlockId> in_order(16), far(16), near(16);
  std::iota(in_order.begin(), in_order.end(), 1);
  std::iota(far.begin(), far.end(), 40);
  std::iota(near.begin(), near.end(), 80);
  const model::Stretch batch[] = {{other, 0, far, -1}, {tokens, 0, in_order, -1}, {third, 0, near, -1}};
  model::Trace together;
  engine.network->forward(batch, &together);
  const std::size_t width = engine.weights->config.hidden;
  for (std::size_t l = 0; l < whole.size(); ++l) {
    const auto from = together[l].begin() + static_cast<std::ptrdiff_t>(other.size() * width);
    EXPECT_TRUE(std::equal(whole[l].begin(), whole[l].end(), from)) << "layer " << l;
  }
  Engine single(folder_, model::Precision::kAsStored, 1);
  EXPECT_EQ(single.run(tokens), whole);
}

TEST_P(EachFamily, AdaptersMatchMergedWeightsAlsoInOneBatch) {
  AdapterPlan plans[3];
  plans[1].rank = 16;
  plans[1].alpha = 4;
  plans[1].rank_stabilised = true;
  plans[2].rank = 3;
  plans[2].modules = {"self_attn.v_proj", "mlp.down_proj"};
  plans[2].layers = {1};
  Engine engine(folder_);
  std::vector<Tokens> tokens;
  std::vector<Reference::Pass> want;
  for (std::size_t i = 0; i < 4; ++i) {
    tokens.push_back(random_tokens(13 + 4 * i, 10 + i));
    Reference reference(folder_);
    if (i < 3) {
      const std::string adapter = folder_ + "_adapter" + std::to_string(i);
      write_adapter(adapter, GetParam().plan, plans[i], 30 + i);
      engine.adapt(static_cast<std::int32_t>(i), adapter);
      reference.merge(adapter);
    }
    want.push_back(reference.run(tokens.back()));
  }
  std::vector<std::vector<batch::BlockId>> blocks(4, std::vector<batch::BlockId>(8));
  std::vector<model::Stretch> batch;
  for (std::size_t i = 0; i < 4; ++i) {
    std::iota(blocks[i].begin(), blocks[i].end(), static_cast<batch::BlockId>(1 + 10 * i));
    batch.push_back({tokens[i], 0, blocks[i], i < 3 ? static_cast<std::int32_t>(i) : batch::kBaseModel});
  }
  model::Trace together;
  engine.network->forward(batch, &together);
  const std::size_t width = engine.weights->config.hidden;
  std::size_t row = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    model::Trace mine(together.size());
    for (std::size_t l = 0; l < together.size(); ++l) {
      const auto from = together[l].begin() + static_cast<std::ptrdiff_t>(row * width);
      mine[l].assign(from, from + static_cast<std::ptrdiff_t>(tokens[i].size() * width));
    }
    EXPECT_LT(worst(mine, want[i]), 2e-5) << "adapter " << i;
    row += tokens[i].size();
    // Alone and in chunks: the same bits.
    EXPECT_EQ(engine.run(tokens[i], 5, i < 3 ? static_cast<std::int32_t>(i) : -1), mine);
  }
}

TEST(Oracle, HalfWidthWeightsAreExactAndAHalfWidthCacheIsClose) {
  for (const char* dtype : {"BF16", "F16"}) {
    const std::string folder = testing::TempDir() + "/oracle_half";
    ModelPlan plan;
    plan.dtype = dtype;
    write_model(folder, plan, 50);
    const Tokens tokens = random_tokens(40, 6);
    const auto want = Reference(folder).run(tokens);
    Engine wide(folder), narrow(folder, model::Precision::kAsStored, 1, ops::best_isa(), false);
    EXPECT_LT(worst(wide.run(tokens), want), 1e-5);
    const double off = worst(narrow.run(tokens), want);
    EXPECT_LT(off, 2e-2);
    EXPECT_GT(off, 1e-5);  // the cache is half-width indeed
  }
}

TEST(Oracle, Int8IsWhatItSaysAndCloseToTheOriginal) {
  const std::string folder = testing::TempDir() + "/oracle_int8";
  ModelPlan plan;
  plan.hidden = 96;
  plan.inner = 160;
  write_model(folder, plan, 60);
  const Tokens tokens = random_tokens(30, 7);
  Reference reference(folder);
  const auto original = reference.run(tokens);
  reference.quantise();
  Engine engine(folder, model::Precision::kInt8);
  const auto have = engine.run(tokens);
  EXPECT_LT(worst(have, reference.run(tokens)), 2e-5);
  EXPECT_LT(worst(have, original), 0.05);
}

TEST(Oracle, TheShippedModelAndItsAdaptersMatch) {
  const std::string base = "examples/models/demo-llama";
  const Tokens tokens = random_tokens(60, 8, 765);
  Engine engine(base);
  EXPECT_LT(worst(engine.run(tokens), Reference(base).run(tokens)), 2e-5);
  for (const char* name : {"sql-lora", "tweet-summary-4"}) {
    const std::string adapter = std::string("examples/models/adapters/") + name;
    engine.adapt(0, adapter);
    Reference reference(base);
    reference.merge(adapter);
    EXPECT_LT(worst(engine.run(tokens, 9, 0), reference.run(tokens)), 2e-5) << name;
  }
}

// The check itself must be able to fail: another model's states are far away.
TEST(Oracle, TellsModelsApart) {
  const std::string folder = testing::TempDir() + "/oracle_apart";
  write_model(folder, {}, 70);
  const Tokens tokens = random_tokens(10, 9);
  Engine engine(folder);
  write_model(folder + "2", {}, 71);
  EXPECT_GT(worst(engine.run(tokens), Reference(folder + "2").run(tokens)), 0.1);
}

}  // namespace
}  // namespace oracle
