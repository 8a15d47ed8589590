#include "engine/model/cpu_model.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/clock.h"

namespace tidegate::model {
namespace {

using batch::Token;

constexpr std::size_t kBlockTokens = 16;

std::unique_ptr<CpuModel> demo(std::size_t threads = 1) {
  CpuOptions options;
  options.folder = "examples/models/demo-llama";
  options.threads = threads;
  auto made = CpuModel::load(std::move(options));
  EXPECT_TRUE(made) << (made ? "" : describe(made.error()));
  if (!made) return nullptr;
  batch::Capacity capacity;
  capacity.blocks = 200;
  capacity.block_tokens = kBlockTokens;
  capacity.sequences_max = 16;
  capacity.step_tokens_max = 512;
  capacity.adapter_slots = 4;
  capacity.adapter_rank_max = 8;
  EXPECT_TRUE((*made)->reserve(capacity));
  return std::move(*made);
}

// One request as the stepper would keep it.
struct Request {
  std::vector<Token> history;
  std::size_t prompt = 0;
  std::vector<batch::BlockId> blocks;
  batch::Sampling sampling;
  std::int32_t slot = batch::kBaseModel;
  std::size_t computed = 0;

  Request(std::vector<Token> tokens, batch::BlockId first_block, std::int32_t adapter = batch::kBaseModel)
      : history(std::move(tokens)), prompt(history.size()), blocks(8), slot(adapter) {
    std::iota(blocks.begin(), blocks.end(), first_block);
    sampling.temperature = 0;
  }
  batch::Segment segment(std::size_t upto) {
    batch::Segment s;
    s.history = history;
    s.prompt_tokens = prompt;
    s.start = computed;
    s.end = upto;
    s.blocks = blocks;
    s.adapter_slot = slot;
    s.sample = upto == history.size();
    s.sampling = &sampling;
    return s;
  }
};

// Steps requests together until each has `count` more tokens; prompts go in chunks of `chunk`.
void generate(CpuModel& model, std::vector<Request*> requests, std::size_t count, std::size_t chunk = 1000) {
  batch::StepResult result;
  for (bool more = true; more;) {
    more = false;
    std::vector<batch::Segment> segments;
    std::vector<Request*> stepped;
    for (Request* r : requests) {
      if (r->history.size() >= r->prompt + count) continue;
      segments.push_back(r->segment(std::min(r->history.size(), r->computed + chunk)));
      stepped.push_back(r);
      more = true;
    }
    if (!more) break;
    ASSERT_TRUE(model.step(segments, result));
    std::size_t sample = 0;
    for (std::size_t i = 0; i < stepped.size(); ++i) {
      stepped[i]->computed = segments[i].end;
      if (segments[i].sample) stepped[i]->history.push_back(result.samples[sample++].token);
    }
  }
}

std::vector<Token> prompt(int seed, std::size_t length) {
  std::vector<Token> out(length);
  for (std::size_t i = 0; i < length; ++i)
    out[i] = static_cast<Token>((static_cast<std::size_t>(seed) * 131 + i * i * 7 + 6) % 700 + 6);
  return out;
}

std::vector<Token> alone(std::vector<Token> tokens, std::size_t count) {
  auto model = demo();
  Request r(std::move(tokens), 1);
  generate(*model, {&r}, count);
  return r.history;
}

TEST(CpuModel, TellsWhatItIs) {
  const auto model = demo();
  ASSERT_TRUE(model);
  EXPECT_EQ(model->facts().vocabulary, 765u);
  EXPECT_EQ(model->facts().context_max, 512u);
  EXPECT_EQ(model->facts().kv_bytes_per_token, 2u * 4 * 2 * 32 * 2);
}

TEST(CpuModel, ChunksBatchesAndThreadsChangeNothing) {
  const auto one = prompt(1, 37), two = prompt(2, 5), three = prompt(3, 60);
  const auto a = alone(one, 20), b = alone(two, 20), c = alone(three, 20);
  for (const std::size_t threads : {1, 3}) {
    for (const std::size_t chunk : {1, 7, 1000}) {
      auto model = demo(threads);
      Request x(one, 1), y(two, 20), z(three, 40);
      generate(*model, {&x, &y, &z}, 20, chunk);
      EXPECT_EQ(x.history, a);
      EXPECT_EQ(y.history, b);
      EXPECT_EQ(z.history, c);
    }
  }
}

TEST(CpuModel, ASeedMeansOneTextWhateverTheBatch) {
  auto model = demo();
  Request first(prompt(4, 9), 1), again(prompt(4, 9), 20), other(prompt(4, 9), 40);
  first.sampling.temperature = again.sampling.temperature = other.sampling.temperature = 1.5F;
  first.sampling.seed = again.sampling.seed = 77;
  other.sampling.seed = 78;
  generate(*model, {&first}, 30);
  generate(*model, {&other, &again}, 30, 4);
  EXPECT_EQ(first.history, again.history);
  EXPECT_NE(first.history, other.history);
}

TEST(CpuModel, BlocksOfAnotherRequestCanBeReadOn) {
  auto model = demo();
  Request whole(prompt(5, 40), 1);
  generate(*model, {&whole}, 10);
  Request reusing(prompt(5, 40), 30);
  reusing.blocks[0] = whole.blocks[0];
  reusing.blocks[1] = whole.blocks[1];
  reusing.computed = 2 * kBlockTokens;
  generate(*model, {&reusing}, 10);
  EXPECT_EQ(whole.history, reusing.history);
}

TEST(CpuModel, AdaptersAnswerInTheirOwnStyleInOneBatch) {
  auto model = demo();
  std::vector<std::unique_ptr<const batch::Adapter>> adapters;
  for (const char* name : {"sql-lora", "tweet-summary"}) {
    auto adapter = model->load_adapter({name, std::string("examples/models/adapters/") + name});
    ASSERT_TRUE(adapter) << describe(adapter.error());
    model->place_adapter(static_cast<std::int32_t>(adapters.size()), **adapter);
    adapters.push_back(std::move(*adapter));
  }
  const auto tokens = prompt(6, 12);
  Request base(tokens, 1), sql(tokens, 20, 0), tweet(tokens, 40, 1), sql_again(tokens, 60, 0);
  generate(*model, {&base, &sql, &tweet, &sql_again}, 12);
  EXPECT_NE(base.history, sql.history);
  EXPECT_NE(sql.history, tweet.history);
  EXPECT_EQ(sql.history, sql_again.history);
  Request sql_alone(tokens, 80, 0);
  generate(*model, {&sql_alone}, 12, 5);
  EXPECT_EQ(sql.history, sql_alone.history);
  // The base is what it was without adapters.
  EXPECT_EQ(base.history, alone(tokens, 12));
}

TEST(CpuModel, ReportsLogprobsOfPromptAndSample) {
  auto model = demo();
  Request r(prompt(7, 6), 1);
  r.sampling.logprobs = 3;
  r.sampling.prompt_logprobs = 2;
  batch::StepResult result;
  const batch::Segment segment = r.segment(6);
  ASSERT_TRUE(model->step(std::span(&segment, 1), result));
  ASSERT_EQ(result.samples.size(), 1u);
  EXPECT_EQ(result.samples[0].top.size(), 3u);
  EXPECT_EQ(result.samples[0].top[0].token, result.samples[0].token);
  ASSERT_EQ(result.prompt.size(), 5u);
  EXPECT_EQ(result.prompt[0].position, 1u);
  EXPECT_EQ(result.prompt[4].actual.token, r.history[5]);
  EXPECT_LT(result.prompt[4].actual.logprob, 0);
}

TEST(CpuModel, TokensOutOfRangeDoNoHarm) {
  auto model = demo();
  Request r({-5, 1'000'000, 7}, 1);
  generate(*model, {&r}, 3);
  EXPECT_EQ(r.history.size(), 6u);
}

TEST(CpuModel, RefusesWhatIsNotThere) {
  CpuOptions options;
  options.folder = "examples/models";
  const auto made = CpuModel::load(std::move(options));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().field, "examples/models/config.json");
  auto model = demo();
  EXPECT_EQ(model->load_adapter({"x", "examples/models/adapters/none"}).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace tidegate::model
