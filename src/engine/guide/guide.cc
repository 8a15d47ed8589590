#include "engine/guide/guide.h"

#include <algorithm>

namespace tidegate::guide {
namespace {

// Places looked at for one mask.
constexpr std::size_t kMaskWork = 1'000'000;
constexpr std::size_t kStateBytesMax = 24 << 20;
constexpr std::size_t kMaskBytesMax = 8 << 20;

tl::unexpected<Error> too_costly() {
  return invalid({}, "is too ambiguous to be followed; use fewer alternatives and counts that overlap less");
}

}  // namespace

Guide::Guide(Program program, std::shared_ptr<const Vocabulary> vocabulary)
    : vocabulary_(std::move(vocabulary)), machine_(std::move(program)) {}

Result<std::shared_ptr<Guide>> Guide::make(const Source& source,
                                           std::shared_ptr<const Vocabulary> vocabulary) {
  if (vocabulary->ends().empty()) {
    return invalid({}, "needs a model with an end-of-sequence token, and this one names none");
  }
  auto program = compile(source);
  if (!program) return tl::unexpected(std::move(program.error()));
  std::shared_ptr<Guide> guide(new Guide(*std::move(program), std::move(vocabulary)));
  if (guide->machine_.overrun()) return too_costly();
  std::size_t work = kMaskWork;
  // The first mask now: who asks for too much is told so before anything is computed.
  if (auto first = guide->mask(kBegin, work); !first) return tl::unexpected(std::move(first.error()));
  return guide;
}

std::uint64_t Guide::generation() {
  if (machine_.bytes() > kStateBytesMax) {
    machine_.forget();
    masks_.clear();
    mask_bytes_ = 0;
    ++generation_;
  }
  return generation_;
}

StateId Guide::follow(StateId state, std::span<const Token> tokens, std::size_t& work) {
  machine_.begin_work(work);
  for (const Token token : tokens) {
    for (const char c : vocabulary_->bytes(token)) state = machine_.step(state, static_cast<std::uint8_t>(c));
  }
  work = machine_.allowance();
  return state;
}

std::string Guide::shortest_end(StateId state, std::size_t most, std::size_t& work) {
  machine_.begin_work(work);
  std::string end;
  while (state != kDead && !machine_.accepting(state) && end.size() < most) {
    const std::uint8_t byte = machine_.nearest(state);
    end += static_cast<char>(byte);
    state = machine_.step(state, byte);
  }
  work = machine_.allowance();
  return end;
}

Result<std::shared_ptr<const Mask>> Guide::mask(StateId state, std::size_t& work) {
  if (const auto known = masks_.find(state); known != masks_.end()) return known->second;
  auto made = std::make_shared<Mask>();
  if (state == kDead || !walk(state, *made, work)) return too_costly();
  if (made->count == 0) {
    return invalid({}, "cannot be followed: no token of this model's vocabulary continues the output");
  }
  const std::size_t bytes = made->bits.size() * sizeof(std::uint64_t) + sizeof(Mask);
  if (mask_bytes_ + bytes > kMaskBytesMax) {
    masks_.clear();
    mask_bytes_ = 0;
  }
  mask_bytes_ += bytes;
  masks_.emplace(state, made);
  return made;
}

// Tries every token. What a token shares with the one before it has been tried already; a token that goes on
// from where another failed fails too.
bool Guide::walk(StateId state, Mask& mask, std::size_t& work) {
  const std::size_t granted = std::min(work, kMaskWork);
  machine_.begin_work(granted);
  mask.bits.assign((vocabulary_->size() + 63) / 64, 0);
  const auto allow = [&mask](Token token) {
    const auto index = static_cast<std::size_t>(token);
    mask.bits[index / 64] |= std::uint64_t{1} << (index % 64);
    ++mask.count;
  };
  path_.resize(vocabulary_->longest() + 1);
  path_[0] = state;
  std::uint32_t good = 0;  // bytes of the last token that led somewhere
  for (const Vocabulary::Entry& entry : vocabulary_->entries()) {
    if (entry.shared > good) continue;
    const std::string_view bytes = vocabulary_->bytes(entry);
    for (good = entry.shared; good < entry.size; ++good) {
      const StateId next = machine_.step(path_[good], static_cast<std::uint8_t>(bytes[good]));
      if (next == kDead) break;
      path_[good + 1] = next;
    }
    if (good == entry.size) allow(entry.token);
  }
  if (machine_.accepting(state)) {
    for (const Token token : vocabulary_->ends()) allow(token);
  }
  const bool overrun = machine_.overrun();
  work -= granted - machine_.allowance();
  return !overrun;
}

Result<std::shared_ptr<const Mask>> Follower::next(std::uint64_t request, Guide& guide,
                                                   std::span<const Token> output, std::size_t& work) {
  const std::uint64_t generation = guide.generation();
  if (request != request_ || generation != generation_ || output.size() < followed_) {
    request_ = request;
    generation_ = generation;
    followed_ = 0;
    state_ = kBegin;
  }
  state_ = guide.follow(state_, output.subspan(followed_), work);
  followed_ = output.size();
  return guide.mask(state_, work);
}

}  // namespace tidegate::guide
