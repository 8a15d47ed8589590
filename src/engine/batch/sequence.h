// One request's life inside the stepper. Internal to this room.
//
//            admitted by the scheduler        last token, stop, cancel
//   waiting --------------------------> running ----------------------> gone
//      ^                                   |
//      +---------- preempted: blocks given back, computed = 0 ----------+
//
// There are no phases: `computed` runs after history.size(), by a chunk while the prompt is long and by one
// afterwards.
//
// Thread: the engine thread.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/batch/request.h"
#include "engine/batch/text.h"
#include "engine/kv/pool.h"

namespace tidegate::batch {

struct Sequence {
  Submission request;          // its prompt has moved into history
  std::vector<Token> history;  // prompt, then drawn tokens
  std::size_t prompt_tokens = 0;
  std::size_t computed = 0;  // positions whose keys and values are in the blocks
  std::unique_ptr<OutputText> text;

  std::vector<kv::BlockId> blocks;
  std::vector<kv::BlockHash> hashes;  // of the full blocks of history, as far as they were needed
  std::size_t published = 0;          // blocks of this table that the cache knows
  std::uint32_t digest_version = 0;   // of the adapter's content that `hashes` were made with

  bool running = false;
  bool cancelled = false;  // to be dropped when the step in flight ends
  std::uint32_t slot = 0;  // while running
  std::int32_t adapter_slot = kBaseModel;

  std::optional<TimePoint> deferred_since;  // waits for an adapter slot, not for room in general
  bool deferred = false;                    // in the last plan
  TimePoint queued;
  std::optional<TimePoint> scheduled;  // the last time it was admitted
  std::optional<TimePoint> first_token;
  TimePoint last_token;
  std::size_t cached_tokens = 0;     // of the prompt, at the first admission
  std::size_t prefill_computed = 0;  // prompt tokens computed rather than found
  std::size_t preemptions = 0;
  std::vector<PromptLogprobs> prompt_logprobs;

  std::size_t drawn() const { return history.size() - prompt_tokens; }
};

}  // namespace tidegate::batch
