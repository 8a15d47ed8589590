#include "simulate/engine.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"
#include "engine/batch/stepper.h"
#include "engine/latency/simulated_model.h"

namespace tidegate::simulate {
namespace {

struct Times {
  TimePoint first{};
  TimePoint end{};
};

struct Load {
  std::vector<Job> jobs;
  std::vector<TimePoint> arrivals;
  std::vector<std::vector<ContentId>> content;
  std::vector<std::vector<batch::Token>> prompts;
};

// Requests whose prompts begin alike in some of the cases, in bursts and lulls.
Load make_load(std::uint64_t seed, std::size_t count, std::size_t prompt_max, std::size_t answer_max) {
  Random random(seed);
  Load load;
  TimePoint at{};
  for (std::size_t i = 0; i < count; ++i) {
    at += std::chrono::microseconds(random.below(random.below(8) == 0 ? 4'000'000 : 150'000));
    Job job;
    job.id = static_cast<std::uint32_t>(i);
    job.prompt = static_cast<std::uint32_t>(1 + random.below(prompt_max));
    job.answer = static_cast<std::uint32_t>(1 + random.below(answer_max));
    const auto family = static_cast<batch::Token>(random.below(4));
    const std::size_t shared = random.below(job.prompt + 1);
    std::vector<batch::Token> prompt;
    for (std::size_t t = 0; t < job.prompt; ++t) {
      prompt.push_back(t < shared ? 300 + family : 400 + static_cast<batch::Token>(random.below(1000)));
    }
    std::vector<ContentId> content;
    std::uint64_t chain = 1;
    for (std::size_t t = 0; t < prompt.size(); ++t) {
      chain = mix64(chain + static_cast<std::uint64_t>(prompt[t]));
      if (t % 16 == 15) content.push_back(chain);
    }
    load.jobs.push_back(job);
    load.arrivals.push_back(at);
    load.prompts.push_back(std::move(prompt));
    load.content.push_back(std::move(content));
  }
  for (std::size_t i = 0; i < count; ++i) load.jobs[i].content = load.content[i];
  return load;
}

std::map<std::uint32_t, Times> by_model(const EngineSpec& spec, const Load& load, Engine& engine) {
  std::map<std::uint32_t, Times> times;
  std::vector<News> news;
  const auto tell = [&] {
    for (const News& each : news) {
      (each.kind == News::Kind::kFirstToken ? times[each.id].first : times[each.id].end) = each.time;
    }
    news.clear();
  };
  for (std::size_t i = 0; i < load.jobs.size(); ++i) {
    while (engine.next() <= load.arrivals[i]) engine.advance(news);
    engine.submit(load.jobs[i], load.arrivals[i]);
  }
  while (engine.next() != TimePoint::max()) engine.advance(news);
  tell();
  EXPECT_TRUE(engine.idle());
  EXPECT_EQ(engine.kv_usage(load.arrivals.back()), 0);
  (void)spec;
  return times;
}

std::map<std::uint32_t, Times> by_stepper(const EngineSpec& spec, const Load& load, std::uint64_t& hits,
                                          std::uint64_t& preemptions) {
  latency::PseudoTokenizer tokenizer;
  latency::SimulatedModel model(spec.profile, tokenizer, 1);
  batch::StepperConfig config;
  config.scheduler.sequences_max = spec.sequences_max;
  config.scheduler.step_tokens_max = spec.step_tokens_max;
  config.scheduler.block_tokens = spec.block_tokens;
  config.scheduler.prefix_caching = spec.prefix_caching;
  config.blocks = spec.blocks;
  auto stepper = *batch::Stepper::make(config, model, tokenizer);
  std::map<std::uint32_t, Times> times;
  std::vector<batch::Output> outputs;
  std::size_t next = 0;
  TimePoint now{};
  const auto submit_until = [&](TimePoint until) {
    for (; next < load.jobs.size() && load.arrivals[next] <= until; ++next) {
      batch::Submission submission;
      submission.id = load.jobs[next].id;
      submission.prompt = load.prompts[next];
      submission.sampling.max_tokens = load.jobs[next].answer;
      submission.sampling.ignore_eos = true;
      submission.arrival = load.arrivals[next];
      stepper->submit(std::move(submission), load.arrivals[next]);
    }
  };
  while (next < load.jobs.size() || !stepper->idle()) {
    if (stepper->idle()) now = std::max(now, load.arrivals[next]);
    submit_until(now);
    const auto begun = stepper->begin(now);
    EXPECT_TRUE(begun && begun->stepped);
    submit_until(now + begun->modelled - Duration(1));  // one that comes as the step ends is after it
    now += begun->modelled;
    outputs.clear();
    stepper->end(now, outputs);
    for (const batch::Output& output : outputs) {
      const auto id = static_cast<std::uint32_t>(output.id);
      if (output.completion_tokens == 1) times[id].first = now;
      if (output.end) times[id].end = now;
    }
  }
  hits = stepper->stats().prefix_hits;
  preemptions = stepper->stats().preemptions;
  return times;
}

void compare(const EngineSpec& spec, const Load& load, bool wants_preemptions, bool wants_hits) {
  Engine engine(spec);
  const auto model = by_model(spec, load, engine);
  std::uint64_t hits = 0;
  std::uint64_t preemptions = 0;
  const auto real = by_stepper(spec, load, hits, preemptions);
  ASSERT_EQ(model.size(), load.jobs.size());
  ASSERT_EQ(real.size(), load.jobs.size());
  for (const auto& [id, times] : real) {
    // Rounding of each step to a nanosecond adds up.
    ASSERT_NEAR(milliseconds(model.at(id).first - times.first), 0, 0.05) << id;
    ASSERT_NEAR(milliseconds(model.at(id).end - times.end), 0, 0.05) << id;
  }
  EXPECT_EQ(engine.preemptions(), preemptions);
  EXPECT_EQ(engine.cached_tokens(), hits);
  EXPECT_EQ(preemptions > 0, wants_preemptions);
  EXPECT_EQ(hits > 0, wants_hits);
}

EngineSpec spec_of(std::string_view profile) {
  EngineSpec spec = engine_spec(*latency::find_profile(profile));
  spec.profile.jitter = 0;
  return spec;
}

TEST(Engine, TellsTheSameTimesAsTheRealStepper) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(seed);
    compare(spec_of("qwen2.5-7b-a10"), make_load(seed, 200, 1500, 120), false, false);
  }
}

TEST(Engine, AlsoWithLongPromptsAndFewSequences) {
  EngineSpec spec = spec_of("llama-3-8b-a100");
  spec.sequences_max = 6;
  spec.step_tokens_max = 512;
  compare(spec, make_load(7, 150, 3000, 60), false, false);
}

TEST(Engine, AlsoWhenTheCacheIsFullAndSequencesArePreempted) {
  EngineSpec spec = spec_of("llama-2-7b-a10");
  spec.blocks = 120;
  compare(spec, make_load(3, 150, 300, 200), true, false);
}

TEST(Engine, AlsoWithAPrefixCache) {
  EngineSpec spec = spec_of("qwen2.5-7b-a100");
  spec.prefix_caching = true;
  compare(spec, make_load(5, 200, 1500, 40), false, true);
}

TEST(Engine, IsBusyWhileItSteps) {
  Engine engine(spec_of("qwen2.5-7b-a10"));
  EXPECT_EQ(engine.next(), TimePoint::max());
  const TimePoint start = TimePoint{} + std::chrono::seconds(5);
  engine.submit({.id = 1, .prompt = 100, .answer = 10}, start);
  std::vector<News> news;
  while (engine.next() != TimePoint::max()) engine.advance(news);
  ASSERT_EQ(news.size(), 2U);
  EXPECT_EQ(news[0].kind, News::Kind::kFirstToken);
  EXPECT_EQ(news[1].kind, News::Kind::kEnd);
  EXPECT_EQ(engine.busy(news[1].time + std::chrono::seconds(1)), news[1].time - start);
}

TEST(Engine, OneAnswerOfOneTokenEndsWithItsPrefill) {
  Engine engine(spec_of("qwen2.5-7b-a10"));
  engine.submit({.id = 1, .prompt = 10, .answer = 1}, TimePoint{});
  std::vector<News> news;
  engine.advance(news);
  ASSERT_EQ(news.size(), 2U);
  EXPECT_EQ(news[0].time, news[1].time);
  EXPECT_TRUE(engine.idle());
}

}  // namespace
}  // namespace tidegate::simulate
