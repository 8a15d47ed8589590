// The engine's heart, without threads, sockets or clocks: requests in, steps, tokens out.
//
//   stepper.submit(...); stepper.cancel(id);            any time between calls
//   Begun begun = stepper.begin(now);                   plans a step and has the model compute it
//   ... wait begun.modelled, if the model only says how long it would have taken ...
//   stepper.end(now, outputs);                          the step is over: tokens, text, finished requests
//
// The CPU engine's thread, the simulated engine's thread and the what-if simulator (in virtual time) all
// drive the same stepper. Requests that come while a step is under way wait for the next; a cancelled one
// gives its slot back when the step in flight ends.
//
// Adapters: add_adapter() makes one known; take_loads() names those whose files are to be read, on whatever
// thread suits the caller; adapter_loaded() brings the result.
//
// Thread: the engine thread.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/batch/model.h"
#include "engine/batch/request.h"
#include "engine/batch/scheduler.h"
#include "engine/batch/stats.h"
#include "engine/batch/tokenizer.h"

namespace tidegate::batch {

struct StepperConfig {
  SchedulerConfig scheduler;
  std::size_t blocks = 1024;    // the null block included
  std::size_t context_max = 0;  // --max-model-len; 0: the model's. Lowered to what the blocks can hold
  lora::Limits adapters{.slots = 0, .memory_max = 0};
  std::size_t adapter_rank_max = 16;
  std::string hash_seed;  // PYTHONHASHSEED; empty: random
};

class Stepper {
 public:
  // Reserves the model's memory. The model and the tokenizer outlive the stepper.
  // Errors: the model's.
  static Result<std::unique_ptr<Stepper>> make(StepperConfig config, Model& model,
                                               const Tokenizer& tokenizer);

  std::size_t context_max() const { return config_.context_max; }

  // Requires: a non-empty prompt shorter than context_max(); an id that is not in use; a known adapter.
  void submit(Submission submission, TimePoint now);

  // The client left. No further Output comes for it. Unknown ids are ignored.
  void cancel(std::uint64_t id, TimePoint now);

  // Ends every sequence with an abort; used by sleep and by a broken model.
  void abort_all(const Error* error, TimePoint now, std::vector<Output>& outputs);

  struct Begun {
    bool stepped = false;  // false: nothing could be computed now
    Duration modelled{0};
  };
  // Errors: the model's; the stepper is broken then.
  Result<Begun> begin(TimePoint now);
  // Requires: begin() returned stepped.
  void end(TimePoint now, std::vector<Output>& outputs);

  bool idle() const { return sequences_.empty(); }
  // When something waits for time alone: the end of a modelled load.
  std::optional<TimePoint> wake_at() const { return residency_.next_tick(); }

  lora::AdapterId add_adapter(std::string name);
  // Reads its files early if memory has room.
  bool prefetch_adapter(lora::AdapterId id) { return residency_.prefetch(id); }
  // No new request may name it; requests already submitted are served.
  void remove_adapter(lora::AdapterId id);
  std::optional<lora::AdapterId> take_load() { return residency_.next_load(); }
  // An error fails the requests that wait for it and nothing else.
  void adapter_loaded(lora::AdapterId id, Result<std::shared_ptr<const Adapter>> adapter, TimePoint now,
                      std::vector<Output>& outputs);

  // Forgets cached prefixes; false while blocks are held.
  bool reset_prefix_cache() { return pool_.forget_all(); }

  // Whether to remember what becomes of cached blocks; whoever asks for it takes it after each step.
  void record_cache_events(bool on) { pool_.record_events(on); }
  std::vector<CacheEvent> take_cache_events() { return scheduler_.take_cache_events(); }

  // Brings gauges up to date, then gives everything counted so far.
  const Stats& stats();

  const lora::Residency& residency() const { return residency_; }
  kv::BlockPool& pool() { return pool_; }

 private:
  Stepper(StepperConfig config, Model& model, const Tokenizer& tokenizer);

  void place_adapters();
  void drop_adapters();
  void make_segments();
  void take_sample(Sequence& sequence, Sample& sample, TimePoint now, Output& output);
  std::unique_ptr<End> end_after(const Sequence& sequence, Token token) const;
  void finish(Sequence& sequence, Finish reason, TimePoint now);
  void discard(Sequence& sequence);
  Output output_for(const Sequence& sequence) const;

  StepperConfig config_;
  Model& model_;
  const Tokenizer& tokenizer_;
  kv::BlockPool pool_;
  kv::BlockHasher hasher_;
  lora::Residency residency_;
  Scheduler scheduler_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Sequence>> sequences_;
  std::vector<std::shared_ptr<const Adapter>> adapters_;  // by id; null while not in memory

  bool stepping_ = false;
  Plan plan_;
  std::vector<Segment> segments_;
  StepResult result_;
  Stats stats_;
};

}  // namespace tidegate::batch
