// Guided decoding: which tokens may come next, so that the whole output is what was asked for.
//
//   auto guide = Guide::make(Source{Source::Kind::kRegex, "[a-z]+"}, vocabulary);      any thread
//   auto allowed = follower.next(request, *guide, output);                             engine thread
//   the sampler draws among allowed->bits
//
// A Guide is shared by all requests with the same source and vocabulary and keeps what it has worked out:
// states of the automaton and the mask of each. A Follower is one sequence's place in it; the place follows
// from the output's tokens alone, so a preempted sequence, or one whose guide has forgotten its states, finds
// it again.
//
// Hostile sources are refused by make(), or fail their own request later: what a guide may compute and keep
// is bounded.
//
// Thread: make() any; then the guide and its followers belong to one thread (destruction aside).

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "engine/guide/machine.h"
#include "engine/guide/vocabulary.h"

namespace tidegate::guide {

// What was asked for.
struct Source {
  enum class Kind : std::uint8_t {
    kJsonObject,  // any JSON object
    kJsonSchema,  // text: the schema
    kRegex,       // text: the expression
    kChoice,      // text: a JSON array of strings
  };
  Kind kind = Kind::kJsonObject;
  std::string text;
  bool blanks = true;  // between the tokens of JSON

  auto operator<=>(const Source&) const = default;
};

// Errors: kInvalid with the field inside the source and what would be right.
Result<Program> compile(const Source& source);

struct Mask {
  std::vector<std::uint64_t> bits;  // by token
  std::size_t count = 0;            // of allowed tokens, those that end the output included

  bool allows(Token token) const {
    const auto index = static_cast<std::size_t>(token);
    return token >= 0 && index / 64 < bits.size() && (bits[index / 64] >> (index % 64) & 1) != 0;
  }
};

class Guide {
 public:
  // Errors: those of compile(); kInvalid if it is too ambiguous to follow, or if the vocabulary has nothing
  // that ends an output.
  static Result<std::shared_ptr<Guide>> make(const Source& source,
                                             std::shared_ptr<const Vocabulary> vocabulary);

  // Tokens that may follow in this state. What had to be worked out anew is taken off `work`. Errors:
  // kInvalid: it costs too much to find out, or there is none.
  Result<std::shared_ptr<const Mask>> mask(StateId state, std::size_t& work);

  // The state after `tokens`. kDead if they are not what was asked for, or it costs too much to find out.
  StateId follow(StateId state, std::span<const Token> tokens, std::size_t& work);

  // States of an older generation mean nothing. Changes only in here: call it before a series of follow() and
  // mask().
  std::uint64_t generation();

  const Vocabulary& vocabulary() const { return *vocabulary_; }
  // The least number of bytes that end the output.
  std::uint32_t distance(StateId state) const { return machine_.distance(state); }
  // Such bytes, as far as `most` of them. For models that only pretend to have something to say.
  std::string shortest_end(StateId state, std::size_t most, std::size_t& work);

 private:
  Guide(Program program, std::shared_ptr<const Vocabulary> vocabulary);
  bool walk(StateId state, Mask& mask, std::size_t& work);

  std::shared_ptr<const Vocabulary> vocabulary_;
  Machine machine_;
  std::uint64_t generation_ = 1;
  std::unordered_map<StateId, std::shared_ptr<const Mask>> masks_;
  std::size_t mask_bytes_ = 0;
  std::vector<StateId> path_;
};

// Places that all sequences of one request may look at together, however many it asks for; one costs some
// tens of nanoseconds, and everybody else waits meanwhile.
inline constexpr std::size_t kRequestWork = 20'000'000;

// Where one sequence is. Reused by sequences that follow each other in a slot.
class Follower {
 public:
  // `request` tells sequences apart; `work` is what is left of kRequestWork. Errors: Guide::mask's.
  Result<std::shared_ptr<const Mask>> next(std::uint64_t request, Guide& guide, std::span<const Token> output,
                                           std::size_t& work);

  StateId state() const { return state_; }

 private:
  std::uint64_t request_ = 0;
  std::uint64_t generation_ = 0;
  std::size_t followed_ = 0;
  StateId state_ = kBegin;
};

}  // namespace tidegate::guide
