// What the picker must reach over engines with prefix caches (issue 3), on conversations from a seed: hits
// near those of one endless cache, and nobody much busier than the rest.

#include "simulate/picking.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"

namespace tidegate::simulate {
namespace {

// Conversations of several turns, each turn's prompt being the one before and some more, all behind one
// system prompt. They come in bursts, as recorded traces do.
Workload conversations(std::uint64_t seed, std::size_t turns) {
  Random random(seed);
  struct Talk {
    std::vector<ContentId> blocks;
  };
  std::vector<Talk> open;
  Workload workload;
  ContentId fresh = 1;
  for (std::size_t i = 0; i < turns; ++i) {
    if (open.size() < 40 || random.below(3) == 0) {
      if (open.size() >= 400)
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(random.below(open.size())));
      open.push_back({{0}});
    }
    Talk& talk = open[random.below(2) == 0 ? open.size() - 1 : random.below(open.size())];
    const std::size_t more = 1 + random.below(8);
    for (std::size_t b = 0; b < more; ++b) talk.blocks.push_back(fresh++);
    workload.arrivals.push_back(
        {.at = std::chrono::seconds(3) * static_cast<std::int64_t>(i / 10),
         .prompt = static_cast<std::uint32_t>(talk.blocks.size() * 512 + random.below(512)),
         .answer = static_cast<std::uint32_t>(1 + random.below(400)),
         .content_begin = static_cast<std::uint32_t>(workload.content.size()),
         .content_count = static_cast<std::uint32_t>(talk.blocks.size())});
    workload.content.insert(workload.content.end(), talk.blocks.begin(), talk.blocks.end());
    if (talk.blocks.size() > 60) talk.blocks = {0};
  }
  workload.length = workload.arrivals.back().at;
  return workload;
}

PickingSpec spec_of(std::uint64_t seed) {
  PickingSpec spec;
  spec.engine = engine_spec(*latency::find_profile("qwen2.5-7b-h100"));
  spec.engine.block_tokens = 512;
  spec.engine.blocks = 20'000;
  spec.engine.prefix_caching = true;
  spec.seed = seed;
  return spec;
}

TEST(Picking, FindsWhatOneEndlessCacheWouldAndKeepsTheBalance) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    const Workload workload = conversations(seed, 4000);
    const PickingSpec spec = spec_of(seed);
    const PickingResult ours = replay(spec, Router::kOurs, workload);
    EXPECT_GE(ours.hits, .92);
    EXPECT_LE(ours.hits, 1.0);
    EXPECT_LE(ours.busiest_count, 1.15);
    const PickingResult turns = replay(spec, Router::kRoundRobin, workload);
    EXPECT_LT(turns.hits, .6);
    EXPECT_LT(ours.ttft_p50_s, turns.ttft_p50_s);
    EXPECT_LT(ours.ttft_p99_s, turns.ttft_p99_s);
  }
}

TEST(Picking, OneEngineFindsWhatIsThere) {
  const Workload workload = conversations(4, 300);
  PickingSpec spec = spec_of(4);
  spec.endpoints = 1;
  const PickingResult one = replay(spec, Router::kLeastRequest, workload);
  EXPECT_GT(one.hits, .9);
  EXPECT_LE(one.hits, 1.0);
  EXPECT_EQ(one.busiest_count, 1);
}

}  // namespace
}  // namespace tidegate::simulate
