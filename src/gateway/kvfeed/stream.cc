#include "gateway/kvfeed/stream.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "gateway/pick/token_chain.h"

namespace tidegate::kvfeed {
namespace {

void count(std::atomic<std::uint64_t>& counter, std::uint64_t more = 1) {
  counter.fetch_add(more, std::memory_order_relaxed);
}

BlockNames::Medium medium_of(std::string_view name) {
  return name.empty() || name == "GPU" ? BlockNames::kGpu : BlockNames::kElsewhere;
}

std::uint64_t hash_of(std::string_view payload) { return pick::hash_bytes(payload, 0); }

}  // namespace

Stream::Stream(pick::BlockIndex& index, pick::PrefixId id, bool replays, Heard& heard)
    : index_(index), id_(id), heard_(heard), replays_(replays) {
  if (replays_) need_ = Need::kTheBeginning;
  tell();
}

Stream::~Stream() {
  forget();
  index_.set_trust(id_, pick::Trust::kNone);
}

pick::Trust Stream::trust() const {
  if (!next_ || doubted_) return pick::Trust::kNone;
  return whole_ && !full_ ? pick::Trust::kWhole : pick::Trust::kPart;
}

void Stream::tell() { index_.set_trust(id_, trust()); }

void Stream::hear(std::uint64_t number, std::string payload) {
  if (asked_ || need_ != Need::kNothing) return keep(number, std::move(payload));
  if (!next_) {
    next_ = number;
    whole_ = number == 0;
  } else if (number < *next_) {
    if (!is_new_engine(payload)) return;  // it was replayed already
    begin_anew();
    if (number > 0 && replays_) {
      need_ = Need::kTheBeginning;
      return keep(number, std::move(payload));
    }
    next_ = number;
    whole_ = number == 0;
  } else if (number > *next_) {
    return hear_gap(number, std::move(payload));
  }
  doubted_ = false;
  apply(number, payload);
  tell();
}

bool Stream::is_new_engine(const std::string& payload) const {
  const auto batch = kvwire::decode(payload);
  return batch && batch->time > last_time_;
}

void Stream::begin_anew() {
  count(heard_.restarts);
  forget();
  next_.reset();
  last_payload_.reset();
  whole_ = false;
  replayed_from_beginning_ = false;
  tell();
}

void Stream::hear_gap(std::uint64_t number, std::string payload) {
  count(heard_.gaps);
  if (replays_) {
    need_ = Need::kTheRest;
    return keep(number, std::move(payload));
  }
  lose();
  next_ = number;
  doubted_ = false;
  apply(number, payload);
  tell();
}

void Stream::keep(std::uint64_t number, std::string payload) {
  waiting_bytes_ += payload.size();
  waiting_.push_back({number, std::move(payload)});
  while (waiting_.size() > kWaitingMax || (waiting_bytes_ > kWaitingBytesMax && waiting_.size() > 1)) {
    waiting_bytes_ -= waiting_.front().payload.size();
    waiting_.pop_front();
  }
}

void Stream::hear_waiting() {
  std::deque<Message> waiting = std::exchange(waiting_, {});
  waiting_bytes_ = 0;
  for (Message& message : waiting) hear(message.number, std::move(message.payload));
}

void Stream::check() {
  if (!replays_ || asked_ || need_ != Need::kNothing) return;
  const bool knows_all_it_can = last_payload_ && (whole_ || replayed_from_beginning_);
  need_ = knows_all_it_can ? Need::kTheRest : Need::kTheBeginning;
}

void Stream::suspect() {
  if (!replays_) return begin_anew();
  doubted_ = true;
  check();
  tell();
}

std::optional<std::uint64_t> Stream::missing() const {
  if (asked_ || need_ == Need::kNothing) return std::nullopt;
  return need_ == Need::kTheRest && last_payload_ ? *next_ - 1 : 0;
}

void Stream::ask() {
  count(heard_.replays);
  if (!last_payload_) need_ = Need::kTheBeginning;
  asked_ = true;
  replay_began_ = false;
  other_engine_ = false;
}

void Stream::replay(std::uint64_t number, const std::string& payload) {
  if (!asked_ || other_engine_) return;
  const bool first = !std::exchange(replay_began_, true);
  if (first && need_ == Need::kTheRest) return replay_anchor(number, payload);
  if (first) {
    forget();
    next_ = number;
    whole_ = number == 0;
  }
  if (number < *next_) return;
  if (number > *next_) {
    lose();
    next_ = number;
  }
  apply(number, payload);
}

// The last batch that was heard, if it is the same engine and keeps as much.
void Stream::replay_anchor(std::uint64_t number, const std::string& payload) {
  if (number >= *next_) {
    lose();
    next_ = number;
    return apply(number, payload);
  }
  other_engine_ = number + 1 != *next_ || hash_of(payload) != *last_payload_;
}

void Stream::replay_ends() {
  if (!asked_) return;
  asked_ = false;
  doubted_ = false;
  if (need_ == Need::kTheRest && (other_engine_ || !replay_began_)) {
    begin_anew();
    need_ = Need::kTheBeginning;
    return;
  }
  if (need_ == Need::kTheBeginning) replayed_from_beginning_ = true;
  if (!replay_began_) {  // it has told nothing yet, or keeps nothing
    forget();
    next_ = 0;
    last_payload_.reset();
    whole_ = true;
    if (!waiting_.empty() && waiting_.front().number > 0) {
      replays_ = false;
      lose();
      next_ = waiting_.front().number;
    }
  }
  need_ = Need::kNothing;
  hear_waiting();
  tell();
}

// What waits is heard as if nobody could be asked.
void Stream::replay_fails() {
  if (!asked_) return;
  asked_ = false;
  doubted_ = true;  // until it says something
  need_ = Need::kNothing;
  const bool replays = std::exchange(replays_, false);
  hear_waiting();
  replays_ = replays;
  tell();
}

void Stream::apply(std::uint64_t number, const std::string& payload) {
  count(heard_.batches);
  next_ = number + 1;
  last_payload_ = hash_of(payload);
  const auto batch = kvwire::decode(payload);
  if (!batch) {
    count(heard_.unreadable);
    return lose();
  }
  last_time_ = std::max(last_time_, batch->time);
  for (const kvwire::Event& event : batch->events) {
    std::visit([this](const auto& one) { apply(one); }, event);
  }
}

void Stream::apply(const kvwire::BlockStored& stored) {
  if (stored.group != 0) return;
  // An adapter that is told by a number only cannot be told from others.
  if (stored.lora_id && stored.lora_name.empty()) return count(heard_.unknown, stored.hashes.size());
  const BlockNames::Medium medium = medium_of(stored.medium);
  if (stored.tokens.empty()) {  // blocks told before that are held in another place, too
    for (const std::uint64_t hash : stored.hashes) {
      if (const auto key = names_.find(hash)) names_.add(hash, *key, medium);
    }
    return;
  }
  pick::TokenChain chain = pick::TokenChain::from_beginning(stored.lora_name);
  if (stored.parent) {
    const auto parent = names_.find(*stored.parent);
    if (!parent) return count(heard_.unknown, stored.hashes.size());
    chain = pick::TokenChain(*parent);
  }
  index_.set_block_tokens(id_, stored.block_tokens);
  const std::size_t plain = std::min<std::size_t>(stored.plain, stored.hashes.size());
  for (std::size_t block = 0; block < plain; ++block) {
    for (std::size_t i = 0; i < stored.block_tokens; ++i)
      chain.add(stored.tokens[block * stored.block_tokens + i]);
    if (!names_.find(stored.hashes[block]) && !index_.store(id_, chain.key())) {
      full_ = true;
      count(heard_.turned_away, plain - block);
      return;
    }
    names_.add(stored.hashes[block], chain.key(), medium);
    count(heard_.stored);
  }
}

void Stream::apply(const kvwire::BlockRemoved& removed) {
  if (removed.group != 0) return;
  for (const std::uint64_t hash : removed.hashes) {
    const auto key = names_.remove(hash, medium_of(removed.medium));
    if (!key) continue;
    index_.remove(id_, *key);
    count(heard_.removed);
  }
}

void Stream::apply(const kvwire::AllBlocksCleared&) {
  count(heard_.cleared);
  forget();
  whole_ = true;
}

void Stream::forget() {
  index_.clear(id_, names_.size());
  names_.clear();
  full_ = false;
}

// Something was not heard and never will be.
void Stream::lose() {
  count(heard_.lost);
  forget();
  whole_ = false;
}

}  // namespace tidegate::kvfeed
