// Random workloads in virtual time: whatever comes, every request ends, nothing leaks, and what a request
// draws does not depend on who else is there. The fake model checks every block row it reads.

#include <gtest/gtest.h>

#include <map>

#include "engine/batch/stepper.h"
#include "engine/batch/testing/fake_model.h"

namespace tidegate::batch {
namespace {

using testing::FakeModel;
using testing::FakeTokenizer;

struct Expected {
  std::vector<Token> history;
  std::size_t prompt = 0;
  std::size_t max_tokens = 0;
  std::uint64_t weight = 0;
  std::uint64_t seed = 0;
  std::string text;
  bool ended = false;
  bool cancelled = false;
};

void check(Expected& expected) {
  for (const char c : expected.text) {
    const Token token = FakeModel::next(expected.history, expected.weight, expected.seed);
    ASSERT_EQ(c, 'a' + token);
    expected.history.push_back(token);
  }
}

void run_workload(std::uint64_t seed) {
  Random random(seed);
  FakeModel model;
  FakeTokenizer tokenizer;
  model.load_time = std::chrono::milliseconds(random.below(80));

  StepperConfig config;
  config.scheduler.sequences_max = 1 + random.below(8);
  config.scheduler.step_tokens_max = 8 + random.below(64);
  config.scheduler.block_tokens = std::size_t{1} << random.below(5);
  config.scheduler.chunk_tokens_max = random.below(2) == 0 ? 0 : 1 + random.below(16);
  config.scheduler.prefix_caching = random.below(4) > 0;
  config.scheduler.policy = random.below(2) == 0 ? Policy::kFirstCome : Policy::kPriority;
  config.scheduler.adapter_wait_max = std::chrono::milliseconds(100);
  config.blocks = 2 + (96 + random.below(200)) / config.scheduler.block_tokens;
  config.context_max = 96;
  const std::size_t slots = random.below(4);
  config.adapters = {.slots = slots, .memory_max = slots + random.below(3)};
  auto stepper = *Stepper::make(config, model, tokenizer);

  std::vector<lora::AdapterId> adapters;
  std::map<lora::AdapterId, std::string> names;
  for (int i = 0; slots > 0 && i < 6; ++i) {
    const std::string name = "adapter-" + std::to_string(i);
    adapters.push_back(stepper->add_adapter(name));
    names[adapters.back()] = name;
  }

  constexpr std::uint64_t kRequests = 120;
  std::map<std::uint64_t, Expected> requests;
  std::vector<Output> outputs;
  TimePoint now{};
  std::uint64_t next_id = 1;
  int idle_turns = 0;
  for (int turn = 0; next_id <= kRequests || !stepper->idle(); ++turn) {
    ASSERT_LT(turn, 200'000) << "seed " << seed << ": somebody waits for ever";
    if (next_id <= kRequests && random.below(3) == 0) {
      Submission submission;
      submission.id = next_id++;
      const std::size_t prompt = 1 + random.below(70);
      const auto family = static_cast<Token>(random.below(3));  // shared prefixes
      for (std::size_t i = 0; i < prompt; ++i) {
        submission.prompt.push_back(i < 40
                                        ? static_cast<Token>((i * 7 + static_cast<std::size_t>(family)) % 26)
                                        : static_cast<Token>(random.below(26)));
      }
      submission.sampling.max_tokens = 1 + random.below(25);
      submission.sampling.seed = random.below(2);
      submission.priority = static_cast<std::int64_t>(random.below(3));
      submission.arrival = now;
      if (!adapters.empty() && random.below(4) > 0)
        submission.adapter = adapters[random.below(adapters.size())];
      Expected expected;
      expected.history = submission.prompt;
      expected.prompt = prompt;
      expected.max_tokens = std::min(submission.sampling.max_tokens, stepper->context_max() - prompt);
      expected.seed = submission.sampling.seed;
      if (submission.adapter != lora::kBase)
        expected.weight = std::hash<std::string>{}(names[submission.adapter]);
      requests[submission.id] = expected;
      stepper->submit(std::move(submission), now);
    }
    auto begun = stepper->begin(now);
    ASSERT_TRUE(begun.has_value());
    while (const auto id = stepper->take_load()) {
      if (random.below(20) == 0) {
        stepper->adapter_loaded(*id, fail(Code::kUnavailable, "disk"), now, outputs);
      } else {
        stepper->adapter_loaded(*id, *model.load_adapter({names[*id], names[*id]}), now, outputs);
      }
    }
    if (next_id > 1 && random.below(40) == 0) {
      const std::uint64_t id = 1 + random.below(next_id - 1);
      stepper->cancel(id, now);
      requests[id].cancelled = true;
    }
    const Stats& stats = stepper->stats();
    ASSERT_LE(stats.running, config.scheduler.sequences_max);
    ASSERT_LE(stepper->residency().in_memory(), std::max(config.adapters.slots, config.adapters.memory_max));
    if (begun->stepped) {
      now += begun->modelled;
      stepper->end(now, outputs);
      idle_turns = 0;
    } else {
      now += std::chrono::milliseconds(1);
      ASSERT_LT(++idle_turns, 2000) << "seed " << seed << ": work waits but nothing runs";
      if (stepper->idle()) idle_turns = 0;
    }
    for (Output& output : outputs) {
      Expected& expected = requests.at(output.id);
      ASSERT_FALSE(expected.ended);
      expected.text += output.text;
      expected.ended = output.end != nullptr;
      if (output.end && output.end->finish == Finish::kLength && !expected.cancelled) {
        ASSERT_EQ(expected.text.size(), expected.max_tokens) << "seed " << seed << " request " << output.id;
      }
    }
    outputs.clear();
  }
  for (auto& [id, expected] : requests) {
    EXPECT_TRUE(expected.ended || expected.cancelled) << "seed " << seed << " request " << id;
    check(expected);
  }
  EXPECT_EQ(stepper->pool().free(), stepper->pool().capacity()) << "seed " << seed;
  for (const lora::AdapterId id : adapters) EXPECT_EQ(stepper->residency().users(id), 0u);
}

TEST(Workload, EveryRequestEndsAlikeAndNothingLeaks) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    run_workload(seed);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace tidegate::batch
