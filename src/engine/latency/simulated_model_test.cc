#include "engine/latency/simulated_model.h"

#include <gtest/gtest.h>

#include "engine/batch/stepper.h"

namespace tidegate::latency {
namespace {

struct Answered {
  std::string text;
  std::size_t tokens = 0;
  batch::Finish finish = batch::Finish::kNone;
  Duration first{0};
  Duration total{0};
};

class Rig {
 public:
  explicit Rig(std::string_view profile = "instant", std::uint64_t seed = 1,
               Answers answers = Answers::kRandom)
      : model(*find_profile(profile), tokenizer, seed, answers) {
    batch::StepperConfig config;
    config.adapters = {.slots = 2, .memory_max = 4};
    stepper = *batch::Stepper::make(config, model, tokenizer);
  }

  Answered ask(std::string_view prompt, const std::function<void(batch::Submission&)>& edit = {},
               const std::string& adapter = "") {
    batch::Submission submission;
    submission.id = ++last_id;
    submission.prompt = tokenizer.encode(prompt, true);
    submission.sampling.max_tokens = 100;
    submission.sampling.temperature = 0;
    submission.arrival = now;
    if (!adapter.empty()) submission.adapter = stepper->add_adapter(adapter);
    if (edit) edit(submission);
    const TimePoint begin = now;
    stepper->submit(std::move(submission), now);
    Answered answered;
    std::vector<batch::Output> outputs;
    while (!stepper->idle()) {
      auto begun = stepper->begin(now);
      while (const auto id = stepper->take_load()) {
        stepper->adapter_loaded(*id, *model.load_adapter({adapter, "/adapters/" + adapter}), now, outputs);
      }
      if (!begun->stepped) {
        if (const auto wake = stepper->wake_at()) now = std::max(now, *wake);
        continue;
      }
      now += begun->modelled;
      stepper->end(now, outputs);
      for (const batch::Output& output : outputs) {
        if (answered.tokens++ == 0) answered.first = now - begin;
        answered.text += output.text;
        if (output.end) answered.finish = output.end->finish;
      }
      outputs.clear();
    }
    answered.total = now - begin;
    return answered;
  }

  PseudoTokenizer tokenizer;
  SimulatedModel model;
  std::unique_ptr<batch::Stepper> stepper;
  TimePoint now{};
  std::uint64_t last_id = 0;
};

TEST(SimulatedModel, GreedyAnswersRepeatAndDependOnPromptAdapterAndSeed) {
  Rig rig;
  const Answered first = rig.ask("Write a story");
  EXPECT_EQ(rig.ask("Write a story").text, first.text);
  EXPECT_NE(rig.ask("Write a poem").text, first.text);
  EXPECT_EQ(Rig("instant", 1).ask("Write a story").text, first.text);
  EXPECT_NE(Rig("instant", 2).ask("Write a story").text, first.text);
}

TEST(SimulatedModel, AdaptersAnswerInTheirManner) {
  Rig rig;
  EXPECT_EQ(rig.ask("flights", {}, "sql-lora").text.rfind("SELECT", 0), 0u);
  EXPECT_NE(rig.ask(
                   "flights", [](auto& s) { s.sampling.ignore_eos = true; }, "tweet-summary")
                .text.find('#'),
            std::string::npos);
}

TEST(SimulatedModel, WithATemperatureTheRequestsSeedDecides) {
  Rig rig;
  const auto seeded = [](std::uint64_t seed) {
    return [seed](batch::Submission& s) {
      s.sampling.temperature = 1;
      s.sampling.seed = seed;
    };
  };
  EXPECT_EQ(rig.ask("hello", seeded(3)).text, rig.ask("hello", seeded(3)).text);
  EXPECT_NE(rig.ask("hello", seeded(3)).text, rig.ask("hello", seeded(4)).text);
}

TEST(SimulatedModel, IgnoreEosGivesTheFullLength) {
  Rig rig;
  const Answered answered = rig.ask("hello", [](auto& s) { s.sampling.ignore_eos = true; });
  EXPECT_EQ(answered.tokens, 100u);
  EXPECT_EQ(answered.finish, batch::Finish::kLength);
}

TEST(SimulatedModel, MinTokensHoldTheEndOff) {
  Rig rig;
  for (int i = 0; i < 20; ++i) {
    const Answered answered =
        rig.ask("hello " + std::to_string(i), [](auto& s) { s.sampling.min_tokens = 90; });
    EXPECT_GE(answered.tokens, 90u);
  }
}

TEST(SimulatedModel, MostAnswersStopByThemselves) {
  Rig rig;
  int stopped = 0;
  for (int i = 0; i < 200; ++i) stopped += rig.ask("q" + std::to_string(i)).finish == batch::Finish::kStop;
  EXPECT_GT(stopped, 150);
  EXPECT_LT(stopped, 200);
}

TEST(SimulatedModel, EchoGivesThePromptBack) {
  Rig rig("instant", 1, Answers::kEcho);
  EXPECT_EQ(rig.ask("repeat after me").text, "repeat after me");
}

TEST(SimulatedModel, StepsTakeTheProfilesTime) {
  Rig rig("llama-2-7b-a100");
  const Answered answered = rig.ask("hello", [](auto& s) { s.sampling.ignore_eos = true; });
  EXPECT_NEAR(seconds(answered.total), .100 * 11.85, .15);
}

TEST(SimulatedModel, AColdAdapterCostsItsReadAndItsSlotLoad) {
  Rig rig("llama-2-7b-a100");
  const Answered base = rig.ask("hello");
  const Answered cold = rig.ask("hello", {}, "sql-lora");
  EXPECT_GT(milliseconds(cold.first), milliseconds(base.first) + 100);
}

}  // namespace
}  // namespace tidegate::latency
