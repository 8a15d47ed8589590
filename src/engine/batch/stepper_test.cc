#include "engine/batch/stepper.h"

#include <gtest/gtest.h>

#include <map>

#include "engine/batch/testing/fake_model.h"

namespace tidegate::batch {
namespace {

using testing::FakeModel;
using testing::FakeTokenizer;

TimePoint at(int ms) { return TimePoint{} + std::chrono::milliseconds(ms); }

StepperConfig small() {
  StepperConfig config;
  config.scheduler.sequences_max = 4;
  config.scheduler.step_tokens_max = 32;
  config.scheduler.block_tokens = 4;
  config.blocks = 33;
  config.hash_seed = "0";
  return config;
}

class Rig {
 public:
  explicit Rig(StepperConfig config = small())
      : stepper(*Stepper::make(std::move(config), model, tokenizer)) {}

  void submit(std::uint64_t id, std::size_t prompt_tokens, std::size_t max_tokens,
              lora::AdapterId adapter = lora::kBase, const std::function<void(Submission&)>& edit = {}) {
    Submission submission;
    submission.id = id;
    for (std::size_t i = 0; i < prompt_tokens; ++i) submission.prompt.push_back(static_cast<Token>(i % 26));
    submission.sampling.max_tokens = max_tokens;
    submission.adapter = adapter;
    submission.arrival = now;
    if (edit) edit(submission);
    stepper->submit(std::move(submission), now);
  }

  lora::AdapterId adapter(const std::string& name) {
    const auto id = stepper->add_adapter(name);
    paths[id] = name;
    return id;
  }

  void load_adapters() {
    while (const auto id = stepper->take_load()) {
      Result<std::shared_ptr<const Adapter>> adapter =
          fail_loads ? Result<std::shared_ptr<const Adapter>>(fail(Code::kNotFound, "no such folder"))
                     : Result<std::shared_ptr<const Adapter>>(*model.load_adapter({paths[*id], paths[*id]}));
      stepper->adapter_loaded(*id, std::move(adapter), now, outputs);
    }
  }

  // One step; false if there was nothing to do.
  bool step() {
    auto begun = stepper->begin(now);
    EXPECT_TRUE(begun.has_value());
    load_adapters();
    if (!begun->stepped) return false;
    now += begun->modelled;
    stepper->end(now, outputs);
    return true;
  }

  void run(int steps_max = 1000) {
    for (int i = 0; i < steps_max && !stepper->idle(); ++i) {
      if (!step()) now += std::chrono::milliseconds(1);
    }
  }

  std::string text(std::uint64_t id) const {
    std::string all;
    for (const Output& output : outputs) {
      if (output.id == id) all += output.text;
    }
    return all;
  }
  const End* end(std::uint64_t id) const {
    for (const Output& output : outputs) {
      if (output.id == id && output.end) return output.end.get();
    }
    return nullptr;
  }
  std::size_t tokens(std::uint64_t id) const {
    std::size_t count = 0;
    for (const Output& output : outputs) count += output.id == id && output.token.has_value();
    return count;
  }

  FakeModel model;
  FakeTokenizer tokenizer;
  TimePoint now = at(0);
  bool fail_loads = false;
  std::map<lora::AdapterId, std::string> paths;
  std::vector<Output> outputs;
  std::unique_ptr<Stepper> stepper;
};

TEST(Stepper, OneRequestFromPromptToLength) {
  Rig rig;
  rig.submit(1, 5, 3);
  rig.run();
  ASSERT_EQ(rig.outputs.size(), 3u);
  EXPECT_EQ(rig.outputs[2].completion_tokens, 3u);
  EXPECT_EQ(rig.outputs[2].prompt_tokens, 5u);
  EXPECT_EQ(rig.end(1)->finish, Finish::kLength);
  EXPECT_EQ(rig.text(1).size(), 3u);
  EXPECT_EQ(rig.stepper->pool().free(), 32u);
}

TEST(Stepper, LongPromptsComeInChunksWithinTheBudget) {
  Rig rig;
  rig.submit(1, 70, 1);
  EXPECT_TRUE(rig.step());
  EXPECT_TRUE(rig.step());
  EXPECT_TRUE(rig.outputs.empty()) << "64 of 70 prompt tokens after two steps";
  EXPECT_TRUE(rig.step());
  EXPECT_EQ(rig.outputs.size(), 1u);
}

TEST(Stepper, DecodingGoesBeforePrefill) {
  Rig rig;
  rig.submit(1, 4, 10);
  rig.step();
  rig.submit(2, 100, 1);
  rig.step();
  EXPECT_EQ(rig.tokens(1), 2u) << "the running request gets its token although a long prompt waits";
}

TEST(Stepper, TheSecondEqualPromptHitsThePrefixCacheExceptItsLastToken) {
  Rig rig;
  rig.submit(1, 16, 1);
  rig.run();
  rig.submit(2, 16, 1);
  rig.run();
  EXPECT_EQ(rig.outputs[1].cached_tokens, 12u) << "floor((16 - 1) / 4) * 4";
  EXPECT_EQ(rig.text(1), rig.text(2));
  EXPECT_EQ(rig.stepper->stats().prefix_hits, 12u);
  EXPECT_EQ(rig.stepper->stats().prefix_queries, 32u);
}

TEST(Stepper, AdaptersAndSaltsDoNotShareAPrefix) {
  StepperConfig config = small();
  config.adapters = {.slots = 1, .memory_max = 1};
  Rig rig(config);
  const auto a = rig.adapter("a");
  rig.submit(1, 16, 1);
  rig.run();
  rig.submit(2, 16, 1, a);
  rig.run();
  rig.submit(3, 16, 1, lora::kBase, [](Submission& s) { s.cache_salt = "tenant"; });
  rig.run();
  for (const Output& output : rig.outputs) EXPECT_EQ(output.cached_tokens, 0u);
}

TEST(Stepper, WithoutBlocksTheLastRunningIsPreemptedAndRecovers) {
  StepperConfig config = small();
  config.blocks = 11;  // 40 tokens
  Rig rig(config);
  Rig alone(small());
  for (std::uint64_t id = 1; id <= 3; ++id) {
    const auto edit = [id](Submission& s) { s.prompt[0] = static_cast<Token>(id); };
    rig.submit(id, 8, 16, lora::kBase, edit);
    alone.submit(id, 8, 16, lora::kBase, edit);
  }
  rig.run();
  alone.run();
  EXPECT_GT(rig.stepper->stats().preemptions, 0u);
  for (std::uint64_t id = 1; id <= 3; ++id) {
    EXPECT_EQ(rig.text(id), alone.text(id)) << "preemption must not show";
    EXPECT_EQ(rig.end(id)->finish, Finish::kLength);
  }
  EXPECT_EQ(rig.stepper->pool().free(), 10u);
}

TEST(Stepper, ThePriorityPolicyServesLowNumbersFirst) {
  StepperConfig config = small();
  config.scheduler.policy = Policy::kPriority;
  config.scheduler.sequences_max = 1;
  Rig rig(config);
  rig.submit(1, 4, 2, lora::kBase, [](Submission& s) { s.priority = 5; });
  rig.submit(2, 4, 2, lora::kBase, [](Submission& s) { s.priority = -1; });
  rig.run();
  EXPECT_EQ(rig.outputs[0].id, 2u);
}

TEST(Stepper, StopStringsEndTheRequestAndAreCut) {
  Rig probe;
  probe.submit(1, 5, 8);
  probe.run();
  const std::string full = probe.text(1);
  Rig rig;
  rig.submit(1, 5, 8, lora::kBase, [&](Submission& s) { s.stop.strings = {full.substr(3, 2)}; });
  rig.run();
  EXPECT_EQ(rig.text(1), full.substr(0, full.find(full.substr(3, 2))));
  EXPECT_EQ(rig.end(1)->finish, Finish::kStop);
  EXPECT_EQ(rig.end(1)->stop_string, full.substr(3, 2));
}

TEST(Stepper, StopTokensCountButDoNotShow) {
  Rig probe;
  probe.submit(1, 5, 8);
  probe.run();
  const Token third = *probe.outputs[2].token;
  Rig rig;
  rig.submit(1, 5, 8, lora::kBase, [&](Submission& s) { s.sampling.stop_token_ids = {third}; });
  rig.run();
  EXPECT_EQ(rig.end(1)->stop_token, third);
  EXPECT_EQ(rig.text(1).size() + 1, rig.tokens(1));
}

TEST(Stepper, ACancelledRequestGivesItsSlotBackWithinOneStep) {
  StepperConfig config = small();
  config.scheduler.sequences_max = 1;
  Rig rig(config);
  rig.submit(1, 4, 1000);
  rig.submit(2, 4, 1);
  rig.step();
  ASSERT_TRUE(rig.stepper->begin(rig.now)->stepped);
  rig.stepper->cancel(1, rig.now);
  rig.stepper->end(rig.now, rig.outputs);
  rig.step();
  EXPECT_EQ(rig.tokens(1), 1u) << "nothing after the cancel";
  EXPECT_EQ(rig.tokens(2), 1u);
  EXPECT_TRUE(rig.stepper->idle());
  EXPECT_EQ(rig.stepper->stats().finished[static_cast<std::size_t>(Finish::kAbort)], 1u);
}

TEST(Stepper, AWaitingRequestCanBeCancelledToo) {
  Rig rig;
  rig.submit(1, 4, 4);
  rig.stepper->cancel(1, rig.now);
  rig.stepper->cancel(1, rig.now);
  EXPECT_TRUE(rig.stepper->idle());
  EXPECT_FALSE(rig.step());
}

TEST(Stepper, AFailedLoadTouchesOnlyItsRequests) {
  StepperConfig config = small();
  config.adapters = {.slots = 2, .memory_max = 2};
  Rig rig(config);
  const auto broken = rig.adapter("broken");
  rig.fail_loads = true;
  rig.submit(1, 4, 3);
  rig.submit(2, 4, 3, broken);
  rig.run();
  EXPECT_EQ(rig.end(1)->finish, Finish::kLength);
  ASSERT_EQ(rig.end(2)->finish, Finish::kError);
  EXPECT_EQ(rig.end(2)->error.code, Code::kNotFound);
}

TEST(Stepper, WhoGetsNoTokenEndsAloneWithTheReason) {
  Rig rig;
  rig.model.fails = 1;
  rig.submit(1, 6, 5);
  rig.submit(2, 6, 5);
  rig.run();
  EXPECT_EQ(rig.tokens(1), 1u);
  EXPECT_EQ(rig.end(1)->finish, Finish::kError);
  EXPECT_EQ(describe(rig.end(1)->error), "the constraint on the output has none");
  EXPECT_EQ(rig.tokens(2), 5u);
  EXPECT_EQ(rig.end(2)->finish, Finish::kLength);
  EXPECT_EQ(rig.stepper->stats().finished[static_cast<std::size_t>(Finish::kError)], 1u);
}

TEST(Stepper, AColdAdapterIsServedDespiteAHotOne) {
  StepperConfig config = small();
  config.adapters = {.slots = 1, .memory_max = 1};
  config.scheduler.adapter_wait_max = std::chrono::milliseconds(200);
  Rig rig(config);
  const auto hot = rig.adapter("hot"), cold = rig.adapter("cold");
  std::uint64_t id = 100;
  rig.submit(id++, 4, 20, hot);
  rig.step();
  rig.step();
  rig.submit(1, 4, 1, cold);
  for (int i = 0; i < 80 && rig.tokens(1) == 0; ++i) {
    if (i % 5 == 0) rig.submit(id++, 4, 20, hot);  // there is always one more
    if (!rig.step()) rig.now += std::chrono::milliseconds(10);
  }
  EXPECT_EQ(rig.tokens(1), 1u);
}

TEST(Stepper, WithoutTheAgeLimitTheColdAdapterWouldStarve) {
  StepperConfig config = small();
  config.adapters = {.slots = 1, .memory_max = 1};
  config.scheduler.adapter_wait_max = std::chrono::hours(1);
  Rig rig(config);
  const auto hot = rig.adapter("hot"), cold = rig.adapter("cold");
  std::uint64_t id = 100;
  rig.submit(id++, 4, 20, hot);
  rig.step();
  rig.step();
  rig.submit(1, 4, 1, cold);
  for (int i = 0; i < 80; ++i) {
    if (i % 5 == 0) rig.submit(id++, 4, 20, hot);
    if (!rig.step()) rig.now += std::chrono::milliseconds(10);
  }
  EXPECT_EQ(rig.tokens(1), 0u) << "if this is served, the test above proves nothing";
  EXPECT_EQ(rig.stepper->stats().deferred, 1u);
}

TEST(Stepper, ReloadedAdapterContentDoesNotFindOldPrefixes) {
  StepperConfig config = small();
  config.adapters = {.slots = 1, .memory_max = 1};
  Rig rig(config);
  const auto first = rig.adapter("v1");
  rig.submit(1, 16, 1, first);
  rig.run();
  rig.stepper->remove_adapter(first);
  const auto second = rig.adapter("v2");
  rig.submit(2, 16, 1, second);
  rig.run();
  EXPECT_EQ(rig.outputs.back().cached_tokens, 0u);
}

TEST(Stepper, ContextLengthEndsARequest) {
  StepperConfig config = small();
  config.context_max = 10;
  Rig rig(config);
  rig.submit(1, 8, 100);
  rig.run();
  EXPECT_EQ(rig.tokens(1), 2u);
  EXPECT_EQ(rig.end(1)->finish, Finish::kLength);
}

std::vector<CacheEvent> of_kind(const std::vector<CacheEvent>& events, kv::BlockPool::Event::Kind kind) {
  std::vector<CacheEvent> some;
  for (const CacheEvent& event : events) {
    if (event.kind == kind) some.push_back(event);
  }
  return some;
}

TEST(Stepper, WhatBecomesOfCachedBlocksIsTold) {
  using Event = kv::BlockPool::Event;
  Rig rig;
  rig.stepper->record_cache_events(true);
  rig.submit(1, 10, 3);  // 12 positions are computed: three blocks of four
  rig.run();
  auto events = rig.stepper->take_cache_events();
  ASSERT_EQ(events.size(), 2u);  // of the prompt two, of the answer one
  EXPECT_EQ(events[0].kind, Event::kStored);
  EXPECT_EQ(events[0].blocks.size(), 2u);
  EXPECT_EQ(events[0].tokens, (std::vector<Token>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_FALSE(events[0].parent.has_value());
  EXPECT_EQ(events[1].blocks.size(), 1u);
  EXPECT_EQ(events[1].parent, events[0].blocks[1]);
  EXPECT_TRUE(rig.stepper->take_cache_events().empty());

  // Another prompt that needs all blocks takes those from the cache, and says so before it stores its own.
  const auto first = events[0].blocks[0];
  rig.submit(2, 120, 1, lora::kBase, [](Submission& submission) {
    for (Token& token : submission.prompt) token = 7;
    submission.cache_salt = "tenant";
  });
  rig.run();
  events = rig.stepper->take_cache_events();
  std::size_t stored = 0;
  for (const CacheEvent& event : of_kind(events, Event::kStored)) stored += event.blocks.size();
  EXPECT_EQ(stored, 30u);
  EXPECT_EQ(of_kind(events, Event::kStored)[0].salt, "tenant");
  EXPECT_EQ(of_kind(events, Event::kStored)[1].salt, "");
  const auto removed = of_kind(events, Event::kRemoved);
  ASSERT_EQ(removed.size(), 1u);  // 32 blocks, of which 3 were cached: the deepest goes first
  EXPECT_NE(removed[0].blocks[0], first);

  EXPECT_TRUE(rig.stepper->reset_prefix_cache());
  events = rig.stepper->take_cache_events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].kind, Event::kCleared);
}

}  // namespace
}  // namespace tidegate::batch
