// One modelled engine in virtual time: requests in, first tokens and ends out.
//
// It plans steps as engine/batch's scheduler does (first come first served, chunked prefill, a token budget,
// KV blocks, preemption of the last) and takes their duration from engine/latency's step_ms. What makes it
// fast is that a run of steps in which only the same sequences decode is one event: the duration of its k
// steps is a quadratic in k, because only the contexts grow. An arrival cuts the run short at the end of the
// step that is under way.
//
// What it leaves out: the jitter of single steps (its mean is 1), adapters, stop tokens and text. engine_test
// holds the rest against the real stepper, request by request.
//
//   engine.submit(job, now);
//   while (engine.next() <= until) engine.advance(news);      // news are of the time next() said
//
// Thread: one thread. Pure: time is handed in.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "base/clock.h"
#include "engine/latency/profile.h"
#include "simulate/blocks.h"

namespace tidegate::simulate {

struct EngineSpec {
  latency::Profile profile;
  std::size_t blocks = 1024;  // the null block included
  std::size_t block_tokens = 16;
  std::size_t sequences_max = 256;
  std::size_t step_tokens_max = 2048;
  bool prefix_caching = false;

  // The most tokens that prompt and answer may have together.
  std::size_t context_max() const;
};

// The blocks that fit on one GPU beside the weights, without adapters.
EngineSpec engine_spec(const latency::Profile& profile);

struct Job {
  std::uint32_t id = 0;
  std::uint32_t prompt = 1;                 // tokens
  std::uint32_t answer = 1;                 // tokens
  std::span<const ContentId> content = {};  // of the prompt's full blocks; outlives the job
};

struct News {
  enum class Kind : std::uint8_t { kFirstToken, kEnd };
  Kind kind;
  std::uint32_t id;
  TimePoint time;
};

class Engine {
 public:
  explicit Engine(EngineSpec spec);

  // Requires: prompt and answer are at least 1, together at most spec.context_max().
  void submit(const Job& job, TimePoint now);

  // When something happens of itself; TimePoint::max() while it is idle.
  TimePoint next() const { return next_; }
  // Goes to next() and appends what happened then.
  void advance(std::vector<News>& news);

  std::size_t running() const { return running_.size(); }
  std::size_t waiting() const { return waiting_.size(); }
  // vllm:num_requests_waiting: who came since the last step began is not among them yet.
  std::size_t queued() const { return queued_; }
  bool idle() const { return running_.empty() && waiting_.empty(); }
  double kv_usage(TimePoint now) const;  // share of the blocks that are held, 0 to 1
  Duration busy(TimePoint now) const;    // time spent in steps since the beginning

  std::uint64_t prompt_tokens() const { return prompt_tokens_; }  // admitted for the first time
  std::uint64_t cached_tokens() const { return cached_tokens_; }  // of them, found in the prefix cache
  std::uint64_t prefilled_tokens() const { return prefilled_tokens_; }
  std::uint64_t preemptions() const { return preemptions_; }

 private:
  struct Sequence {
    Job job;
    std::uint32_t history = 0;   // prompt and drawn tokens
    std::uint32_t computed = 0;  // of them
    std::uint32_t planned = 0;   // tokens that the step under way computes
    bool admitted = false;       // once before
    Table table;

    bool decoding() const { return history - computed == 1 && computed >= job.prompt; }
    std::uint32_t left() const { return job.prompt + job.answer - history; }
  };

  void begin(TimePoint now);
  void plan_running();
  void plan_waiting();
  bool admit();
  void preempt_last();
  void measure();
  void stretch(std::size_t context);
  void end_step(TimePoint now, std::vector<News>& news);
  double run_ms(std::uint32_t steps) const;
  std::uint32_t steps_until(TimePoint now) const;
  std::size_t blocks_for(std::size_t tokens) const {
    return (tokens + spec_.block_tokens - 1) / spec_.block_tokens;
  }

  EngineSpec spec_;
  Blocks blocks_;
  std::vector<Sequence> running_;  // in order of admission
  std::deque<Sequence> waiting_;
  std::size_t budget_ = 0;

  TimePoint next_ = TimePoint::max();
  TimePoint began_{};          // of the step or run under way
  std::uint32_t steps_ = 1;    // that it has
  double first_ms_ = 0;        // of the first of them
  double growth_ms_ = 0;       // of each over the one before
  bool only_decodes_ = false;  // nothing was admitted or prefilled
  std::size_t preempted_ = 0;  // in this plan
  std::size_t queued_ = 0;     // who waited when it was made

  latency::StepShape shape_;
  Duration busy_{0};
  std::uint64_t prompt_tokens_ = 0;
  std::uint64_t cached_tokens_ = 0;
  std::uint64_t prefilled_tokens_ = 0;
  std::uint64_t preemptions_ = 0;
};

}  // namespace tidegate::simulate
