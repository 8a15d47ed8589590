// Runs a Program: states that are made when they are first reached, and kept.
//
// A state is the set of places (node and stack of calls) where the output so far can have led. States are
// numbers; a step is a look into a table once it has been taken before. Ways that cannot be ended within
// kDepthMax calls are never entered, so from every state but kDead there is a way to an accepting one.
//
// Hostile programs are bounded by work, not by time: begin_work() grants an allowance; when it is used up
// every step is dead and overrun() says so.
//
// Thread: one owner.

#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "engine/guide/program.h"

namespace tidegate::guide {

using StateId = std::uint32_t;
inline constexpr StateId kDead = 0;
inline constexpr StateId kBegin = 1;

// Keys seen since clear(), which costs nothing however many there were.
class SeenSet {
 public:
  void clear() {
    ++round_;
    count_ = 0;
  }
  bool insert(std::uint64_t key);  // false: seen already

 private:
  struct Entry {
    std::uint64_t key = 0;
    std::uint64_t round = 0;  // an entry of another round is empty
  };
  void grow();

  std::vector<Entry> entries_ = std::vector<Entry>(64);
  std::uint64_t round_ = 1;
  std::size_t count_ = 0;
};

class Machine {
 public:
  // overrun() if even the beginning is too much.
  explicit Machine(Program program);

  void begin_work(std::size_t allowance) { allowance_ = allowance; }
  std::size_t allowance() const { return allowance_; }
  bool overrun() const { return allowance_ == 0; }

  // kBegin is the state before any output. Requires: a state of this generation.
  StateId step(StateId state, std::uint8_t byte);
  bool accepting(StateId state) const { return states_[state].accepting; }
  // The least number of bytes to an accepting state.
  std::uint32_t distance(StateId state) const;
  // A byte that leads as near to an accepting state as any does. Requires: not kDead.
  std::uint8_t nearest(StateId state);

  std::size_t states() const { return states_.size(); }
  std::size_t bytes() const;
  // Forgets all states but kDead and kBegin.
  void forget();

 private:
  using StackId = std::uint32_t;
  struct Frame {
    NodeId back = kEnd;  // where to go on
    StackId below = 0;
    std::uint32_t depth = 0;
    std::uint32_t length = 0;  // bytes from `back` to the end of everything below
  };
  struct Place {
    NodeId node;
    StackId stack;
    auto operator<=>(const Place&) const = default;
  };
  struct State {
    std::vector<Place> places;  // sorted; only nodes that take bytes
    bool accepting = false;
  };

  void begin();
  StackId push(NodeId back, StackId below);
  void open(Place place, State& state);
  StateId intern(State state);

  const Program program_;
  std::size_t allowance_ = 0;
  std::vector<State> states_;
  std::vector<StateId> table_;  // [state][class]; kUnknown until taken
  std::unordered_multimap<std::uint64_t, StateId> by_hash_;
  std::vector<Frame> frames_;  // 0: nothing below
  std::unordered_map<std::uint64_t, StackId> frame_ids_;
  std::size_t places_ = 0;

  std::vector<Place> work_;
  SeenSet seen_;
};

}  // namespace tidegate::guide
