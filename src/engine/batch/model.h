// The seam between the stepper and what computes.
//
// The stepper (this room) decides which tokens of which sequences a step computes, in which KV blocks and
// with which adapter. A Model computes them and draws the next tokens. There are two: the CPU transformer
// (engine/model) and the latency model (engine/latency), which computes nothing, says how long a step would
// have taken and makes text up.
//
//   model.reserve(capacity);                      once
//   adapter = model.load_adapter(spec);           any thread: reads and checks files
//   model.place_adapter(slot, *adapter);          engine thread: copies into a slot
//   model.step(segments, result);                 engine thread, one step at a time
//
// What sits on which side: sampling (reference model-server.md section 7: masks, min_tokens' mask of EOS and
// stop ids, bias, penalties, temperature, min_p, top_k, top_p, draw, raw logprobs) is the model's. Stop
// strings, finish reasons, text, usage, queueing, blocks and slots are the stepper's.
//
// Thread: everything on the engine thread, except load_adapter() and facts(), which any thread may call at
// any time after reserve().

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/batch/sampling.h"

namespace tidegate::batch {

using BlockId = std::uint32_t;  // index of a KV block; 0 is the null block, never written and never read

inline constexpr std::int32_t kBaseModel = -1;  // an adapter slot that means: no adapter

struct ModelFacts {
  std::size_t vocabulary = 0;          // tokens are 0 .. vocabulary - 1
  std::size_t context_max = 0;         // positions; the stepper may be told to use fewer
  std::size_t kv_bytes_per_token = 0;  // over all layers, keys and values
  bool simulated = false;              // StepResult::modelled is meant, not zero
};

// What the stepper will use at most. The model allocates its KV storage and buffers from it.
struct Capacity {
  std::size_t blocks = 0;           // KV blocks, the null block included: ids 0 .. blocks - 1
  std::size_t block_tokens = 16;    // tokens per block
  std::size_t sequences_max = 256;  // segments in one step; sequence slots are 0 .. sequences_max - 1
  std::size_t step_tokens_max = 0;  // tokens in one step over all segments
  std::size_t adapter_slots = 0;    // 0: adapters are off
  std::size_t adapter_rank_max = 16;
};

// One sequence's share of one step: compute `tokens` at positions start, start + 1, ... and, if `sample`,
// draw the token that follows the last of them.
//
// A prompt may come in several segments over several steps (chunked prefill); only the last one samples.
// After a preemption the same request comes again from an earlier position, with its drawn tokens as part of
// what is computed. Positions before `start` are already in `blocks`: computed by earlier steps, by this
// request or by another that shares the prefix (equal tokens, adapter content and salt). A block is never
// shared before the step that filled it has ended, so segments of one step do not read what another segment
// of the same step writes.
struct Segment {
  std::uint64_t request = 0;   // unique for the life of the engine
  std::uint32_t sequence = 0;  // slot, kept while the request runs; a slot is reused by later requests
  std::span<const Token>
      history;  // prompt and drawn tokens up to now; tokens are its positions start .. end - 1
  std::size_t prompt_tokens = 0;  // how many of `history` are prompt
  std::size_t start = 0;
  std::size_t end = 0;              // one past the last position to compute; end <= history.size()
  std::span<const BlockId> blocks;  // position p lies in blocks[p / block_tokens], row p % block_tokens
  std::int32_t adapter_slot = kBaseModel;
  bool sample = false;  // only if end == history.size()
  const Sampling* sampling = nullptr;

  std::span<const Token> tokens() const { return history.subspan(start, end - start); }
};

struct TokenLogprob {
  Token token = 0;
  float logprob = 0;       // raw log-softmax; may be -infinity
  std::uint32_t rank = 0;  // 1 is the most likely
};

// The drawn token and, if Sampling::logprobs >= 0, itself and then the most likely ones, best first.
struct Sample {
  Token token = 0;
  TokenLogprob chosen;
  std::vector<TokenLogprob> top;
  std::string failure;  // not empty: no token could be drawn, and why; ends this sequence alone
};

// For a segment with Sampling::prompt_logprobs >= 0: what position p said about the prompt token at p + 1,
// for the positions of the segment whose next token is prompt.
struct PromptLogprobs {
  std::uint64_t request = 0;
  std::size_t position = 0;  // of the token described (p + 1)
  TokenLogprob actual;
  std::vector<TokenLogprob> top;
};

struct StepResult {
  std::vector<Sample> samples;  // one per segment with `sample`, in segment order
  std::vector<PromptLogprobs> prompt;
  Duration modelled{0};  // how long the step took in the modelled machine; zero when real time is the measure
};

// Names an adapter before anything is read.
struct AdapterSpec {
  std::string name;  // as clients ask for it
  std::string path;  // PEFT folder
};

// An adapter in CPU memory, ready to be placed. Implementations derive from it and keep their matrices there.
class Adapter {
 public:
  virtual ~Adapter() = default;

  std::size_t rank = 0;
  std::size_t bytes = 0;
  std::string digest;  // of the content (configuration and weights), never of the name: keys the prefix cache
  Duration load_modelled{
      0};  // time the disk would have taken, in virtual time; zero when load_adapter() took it
};

class Model {
 public:
  virtual ~Model() = default;

  virtual const ModelFacts& facts() const = 0;

  // Errors: kExhausted if the memory cannot be had; the message says what to lower.
  virtual Result<void> reserve(const Capacity& capacity) = 0;

  // Reads and checks an adapter. May take long; changes nothing that step() sees.
  // Errors: kNotFound (no such folder), kInvalid (rank over the limit, DoRA, unknown modules, wrong shapes
  // ...).
  virtual Result<std::unique_ptr<const Adapter>> load_adapter(const AdapterSpec& spec) = 0;

  // Puts an adapter into a slot, over whatever was there. The modelled cost, if any, is part of the next
  // step. The adapter outlives its time in the slot. Requires: slot < Capacity::adapter_slots, and no segment
  // of a later step uses the slot with the old adapter.
  virtual void place_adapter(std::int32_t slot, const Adapter& adapter) = 0;
  virtual void clear_adapter(std::int32_t slot) = 0;

  // Computes one step. `result` is cleared first; its buffers are reused.
  // Errors: any error means that the engine is broken and must not be stepped again.
  virtual Result<void> step(std::span<const Segment> segments, StepResult& result) = 0;
};

}  // namespace tidegate::batch
