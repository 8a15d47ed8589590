// A model that computes nothing: it says how long the step would have taken on the profile's GPU and makes up
// text.
//
// The text and its length depend on the engine's seed, the prompt, the adapter and, unless decoding is
// greedy, the request's seed; never on the batch. Adapters need no files: any path loads, after the profile's
// modelled time.
//
// A guided answer says what it would have said where the guide lets it (inside strings), and otherwise takes
// the shortest way to its end.
//
// Thread: as batch::Model says.

#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "engine/batch/model.h"
#include "engine/guide/guide.h"
#include "engine/latency/babble.h"
#include "engine/latency/profile.h"
#include "engine/latency/pseudo_tokenizer.h"

namespace tidegate::latency {

enum class Answers {
  kRandom,  // made-up sentences
  kEcho,    // the prompt's own tokens
};

class SimulatedAdapter final : public batch::Adapter {
 public:
  std::uint64_t key = 0;
  Manner manner = Manner::kPlain;
};

class SimulatedModel final : public batch::Model {
 public:
  // The tokenizer outlives the model.
  SimulatedModel(Profile profile, const PseudoTokenizer& tokenizer, std::uint64_t seed,
                 Answers answers = Answers::kRandom);

  const batch::ModelFacts& facts() const override { return facts_; }
  Result<void> reserve(const batch::Capacity& capacity) override;
  Result<std::unique_ptr<const batch::Adapter>> load_adapter(const batch::AdapterSpec& spec) override;
  void place_adapter(std::int32_t slot, const batch::Adapter& adapter) override;
  void clear_adapter(std::int32_t slot) override;
  Result<void> step(std::span<const batch::Segment> segments, batch::StepResult& result) override;

 private:
  // The answer a sequence slot is giving: one sentence of it at a time.
  struct Answer {
    std::uint64_t request = 0;
    std::uint64_t key = 0;
    Manner manner = Manner::kPlain;
    std::size_t length = 0;    // tokens after which it ends
    std::size_t sentence = 0;  // index of the next sentence to write
    std::size_t base = 0;      // position in the answer of tokens[0]
    std::vector<batch::Token> tokens;
  };

  void start(Answer& answer, const batch::Segment& segment) const;
  batch::Token draw(const batch::Segment& segment);
  batch::Token say(Answer& answer, const batch::Segment& segment, std::size_t position);
  batch::Sample draw_guided(const batch::Segment& segment);
  void add_logprobs(const batch::Segment& segment, batch::StepResult& result) const;

  Profile profile_;
  const PseudoTokenizer& tokenizer_;
  std::uint64_t seed_;
  Answers answers_how_;
  Random jitter_;
  batch::ModelFacts facts_;
  batch::Capacity capacity_;
  std::vector<const SimulatedAdapter*> slots_;
  std::vector<Answer> answers_;             // by sequence slot
  std::vector<guide::Follower> followers_;  // by sequence slot
  std::size_t slot_loads_ = 0;   // since the last step
  StepShape shape_;
  std::vector<std::int32_t> adapters_seen_;
};

}  // namespace tidegate::latency
