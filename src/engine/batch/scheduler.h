// Which sequences go into the next step, and with how many tokens.
//
// Running sequences first, each with all it lacks up to the token budget (one token, when it is decoding); if
// blocks run out, the last running sequence gives its own back and is computed again later. Then, if nothing
// was preempted, waiting ones in order while budget, sequence slots and blocks last; a prompt longer than the
// budget comes in chunks. A sequence whose adapter cannot be in a slot now is passed over and keeps its
// place.
//
// Passing over could starve a cold adapter while hot ones keep their slots busy. So when a sequence has
// waited for a slot longer than adapter_wait_max, the adapter with the fewest running sequences is closed:
// nothing more of it is admitted until its running ones have ended and the slot has gone to who waited. The
// wait is thus bounded by the longest running request of one adapter.
//
// Thread: the engine thread. Pure: time is handed in.
// Source: vLLM v1/core/sched/scheduler.py, by reference model-server.md section 3; closing is ours (vLLM
// issue 16876).

#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/batch/sequence.h"
#include "engine/kv/hash.h"
#include "engine/kv/pool.h"
#include "engine/lora/residency.h"

namespace tidegate::batch {

enum class Policy { kFirstCome, kPriority };

struct SchedulerConfig {
  std::size_t sequences_max = 256;     // --max-num-seqs
  std::size_t step_tokens_max = 2048;  // --max-num-batched-tokens
  std::size_t chunk_tokens_max = 0;    // --long-prefill-token-threshold; 0: no limit
  bool chunked_prefill = true;
  bool prefix_caching = true;
  Policy policy = Policy::kFirstCome;
  std::size_t block_tokens = 16;
  Duration adapter_wait_max = std::chrono::seconds(1);
};

struct Planned {
  Sequence* sequence;
  std::size_t start;
  std::size_t end;
};

// An adapter that must be put into its slot before the step.
struct Placement {
  lora::AdapterId adapter;
  std::int32_t slot;
};

struct Plan {
  std::vector<Planned> segments;
  std::vector<Placement> placements;
  std::size_t tokens = 0;
  std::size_t preempted = 0;
};

// What became of blocks that others could find. Of what is stored: one run of blocks of one sequence.
struct CacheEvent {
  kv::BlockPool::Event::Kind kind;
  std::vector<kv::BlockHash> blocks;         // none where all was cleared
  std::optional<kv::BlockHash> parent = {};  // nothing: a prompt begins with the first block
  std::vector<Token> tokens = {};
  lora::AdapterId adapter = lora::kBase;
  std::string salt = {};  // the client's, where the first block is a prompt's
};

class Scheduler {
 public:
  // The pool, the hasher and the residency outlive the scheduler.
  Scheduler(SchedulerConfig config, kv::BlockPool& pool, kv::BlockHasher& hasher, lora::Residency& residency);

  // The sequence stays where it is in memory until remove().
  void add(Sequence& sequence);
  // Waiting or running; gives back everything it holds. Not while a plan with it is being computed.
  void remove(Sequence& sequence);

  // Fills `plan`. Every planned sequence is running, holds blocks for [0, end) and has its adapter in a slot.
  void plan(TimePoint now, Plan& plan);

  // The step is done: its positions are computed, full blocks may be found by others.
  void computed(Sequence& sequence, std::size_t end);

  // The content an adapter has now; changes whenever its files were read anew.
  void set_digest(lora::AdapterId adapter, std::string digest);

  // What happened to cached blocks since the last call, in order. Nothing until the pool records events.
  std::vector<CacheEvent> take_cache_events();

  const std::vector<Sequence*>& running() const { return running_; }
  const std::list<Sequence*>& waiting() const { return waiting_; }
  // Of the waiting ones, those passed over in the last plan because of their adapter.
  std::size_t deferred() const { return deferred_; }
  std::uint64_t prefix_queries() const { return prefix_queries_; }  // tokens
  std::uint64_t prefix_hits() const { return prefix_hits_; }        // tokens
  std::uint64_t preemptions() const { return preemptions_; }

 private:
  struct Content {
    std::string digest;
    std::uint32_t version = 0;
  };

  void plan_running(Plan& plan, std::size_t& budget);
  void plan_waiting(TimePoint now, Plan& plan, std::size_t& budget);
  std::size_t wanted(const Sequence& sequence, std::size_t budget) const;
  bool grow(Sequence& sequence, std::size_t end);
  Sequence& victim() const;
  void preempt(Sequence& sequence, Plan& plan, std::size_t& budget);
  bool adapter_ready(Sequence& sequence, TimePoint now, Plan& plan);
  bool admit(Sequence& sequence, TimePoint now, std::size_t& budget, Plan& plan);
  void find_prefix(Sequence& sequence, std::vector<kv::BlockId>& found);
  void stop_running(Sequence& sequence);
  void close_for_the_starved(TimePoint now);
  bool goes_before(const Sequence& a, const Sequence& b) const;
  Content& content(lora::AdapterId adapter);
  void note_pool_events();
  void note_stored(const Sequence& sequence, std::size_t first, std::size_t end);

  SchedulerConfig config_;
  kv::BlockPool& pool_;
  kv::BlockHasher& hasher_;
  lora::Residency& residency_;

  std::vector<Sequence*> running_;  // in order of admission
  std::list<Sequence*> waiting_;
  std::vector<std::uint32_t> free_slots_;
  std::vector<lora::AdapterId> closed_;  // nothing more of these is admitted
  std::vector<Content> contents_;        // by adapter id
  std::vector<kv::BlockId> found_;       // scratch
  std::vector<CacheEvent> cache_events_;
  std::size_t deferred_ = 0;
  std::uint64_t prefix_queries_ = 0;
  std::uint64_t prefix_hits_ = 0;
  std::uint64_t preemptions_ = 0;
};

}  // namespace tidegate::batch
