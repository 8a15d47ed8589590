#include "engine/guide/machine.h"

#include <algorithm>

#include "base/random.h"

namespace tidegate::guide {
namespace {

constexpr StateId kUnknown = 0xFFFFFFFF;
constexpr std::size_t kStartWork = 1'000'000;

std::uint64_t pair_of(std::uint32_t a, std::uint32_t b) { return std::uint64_t{a} << 32 | b; }

std::uint32_t sum_of(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(std::uint64_t{a} + b, kNever));
}

}  // namespace

bool SeenSet::insert(std::uint64_t key) {
  if (2 * (count_ + 1) > entries_.size()) grow();
  for (std::size_t at = mix64(key) & (entries_.size() - 1);; at = (at + 1) & (entries_.size() - 1)) {
    if (entries_[at].round != round_) {
      entries_[at] = {key, round_};
      ++count_;
      return true;
    }
    if (entries_[at].key == key) return false;
  }
}

void SeenSet::grow() {
  std::vector<Entry> before(entries_.size() * 2);
  before.swap(entries_);
  const std::uint64_t old = round_;
  clear();
  for (const Entry& entry : before) {
    if (entry.round == old) insert(entry.key);
  }
}

Machine::Machine(Program program) : program_(std::move(program)) { begin(); }

void Machine::begin() {
  frames_.assign(1, Frame{});
  states_.assign(1, State{});
  table_.assign(program_.example.size(), kDead);
  begin_work(kStartWork);
  seen_.clear();
  State start;
  open({program_.starts[0], 0}, start);
  intern(std::move(start));
}

void Machine::forget() {
  const std::size_t left = allowance_;
  by_hash_.clear();
  frame_ids_.clear();
  places_ = 0;
  begin();
  begin_work(left);
}

std::size_t Machine::bytes() const {
  constexpr std::size_t kEntry = 48;  // of a hash table, with its node
  return states_.size() * (sizeof(State) + kEntry + program_.example.size() * sizeof(StateId)) +
         places_ * sizeof(Place) + frames_.size() * (sizeof(Frame) + kEntry);
}

StateId Machine::step(StateId state, std::uint8_t byte) {
  const std::size_t entry = std::size_t{state} * program_.example.size() + program_.class_of[byte];
  if (table_[entry] != kUnknown) return table_[entry];
  if (overrun()) return kDead;
  const std::uint8_t example = program_.example[program_.class_of[byte]];
  State next;
  seen_.clear();
  allowance_ -= std::min(allowance_, states_[state].places.size());
  for (std::size_t i = 0; i < states_[state].places.size(); ++i) {
    const Place place = states_[state].places[i];
    const Node& node = program_.nodes[place.node];
    if (program_.sets[node.a][example]) open({node.b, place.stack}, next);
  }
  if (overrun()) return kDead;
  const StateId made = intern(std::move(next));
  table_[entry] = made;
  return made;
}

// Follows everything that takes no byte.
void Machine::open(Place place, State& state) {
  work_.assign(1, place);
  while (!work_.empty() && allowance_ > 0) {
    const Place at = work_.back();
    work_.pop_back();
    if (!seen_.insert(pair_of(at.node, at.stack))) continue;
    --allowance_;
    const Node& node = program_.nodes[at.node];
    const std::uint32_t height = program_.heights[at.node];
    if (height == kNever || frames_[at.stack].depth + height > kDepthMax) continue;
    switch (node.kind) {
      case Node::Kind::kBytes:
        state.places.push_back(at);
        break;
      case Node::Kind::kSplit:
        work_.push_back({node.b, at.stack});
        work_.push_back({node.a, at.stack});
        break;
      case Node::Kind::kCall:
        // The last thing a rule does needs nobody to come back.
        work_.push_back({program_.starts[node.a], node.b == kEnd ? at.stack : push(node.b, at.stack)});
        break;
      case Node::Kind::kEnd:
        if (at.stack == 0) {
          state.accepting = true;
        } else {
          work_.push_back({frames_[at.stack].back, frames_[at.stack].below});
        }
        break;
    }
  }
}

Machine::StackId Machine::push(NodeId back, StackId below) {
  const auto [found, fresh] =
      frame_ids_.try_emplace(pair_of(back, below), static_cast<StackId>(frames_.size()));
  if (fresh) {
    const Frame& under = frames_[below];
    frames_.push_back({back, below, under.depth + 1, sum_of(under.length, program_.lengths[back])});
  }
  return found->second;
}

StateId Machine::intern(State state) {
  if (state.places.empty() && !state.accepting) return kDead;
  std::sort(state.places.begin(), state.places.end());
  std::uint64_t hash = state.accepting ? 1 : 0;
  for (const Place& place : state.places) hash = mix64(hash ^ pair_of(place.node, place.stack));
  const auto [from, to] = by_hash_.equal_range(hash);
  for (auto it = from; it != to; ++it) {
    const State& known = states_[it->second];
    if (known.accepting == state.accepting && known.places == state.places) return it->second;
  }
  const auto id = static_cast<StateId>(states_.size());
  places_ += state.places.size();
  states_.push_back(std::move(state));
  table_.resize(table_.size() + program_.example.size(), kUnknown);
  by_hash_.emplace(hash, id);
  return id;
}

std::uint8_t Machine::nearest(StateId state) {
  std::uint8_t best = 0;
  std::uint32_t least = kNever;
  for (const std::uint8_t byte : program_.example) {
    const StateId next = step(state, byte);
    if (next == kDead || distance(next) >= least) continue;
    least = distance(next);
    best = byte;
  }
  return best;
}

std::uint32_t Machine::distance(StateId state) const {
  if (states_[state].accepting) return 0;
  std::uint32_t least = kNever;
  for (const Place& place : states_[state].places) {
    least = std::min(least, sum_of(program_.lengths[place.node], frames_[place.stack].length));
  }
  return least;
}

}  // namespace tidegate::guide
