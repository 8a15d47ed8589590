// One worker's way to who holds how much of the request at hand: the keys of its prompt, what was found for
// them in the prefix index (where it was sent) and, for pools whose engines tell, in the block index (what
// they hold).
//
// Thread: one worker's; the indices are everybody's.

#pragma once

#include <string_view>

#include "gateway/pick/block_index.h"
#include "gateway/pick/prefix_index.h"
#include "gateway/pick/prompt_keys.h"
#include "gateway/pick/token_map.h"

namespace tidegate::pick {

class PromptLookup {
 public:
  // Without the last two nobody tells.
  explicit PromptLookup(PrefixIndex& index, BlockIndex* blocks = nullptr, TokenMap* tokens = nullptr)
      : index_(index), blocks_(blocks), tokens_(tokens) {}

  // Which endpoints hold how much of the prompt, by where it was sent.
  void ask(std::uint64_t seed, std::string_view prompt) {
    keys_.hash(seed, prompt);
    index_.match(keys_, match_);
    points_.clear();
  }
  // And by what their engines say. Requires: ask().
  void ask_engines(TimePoint now) {
    if (blocks_ == nullptr || tokens_ == nullptr) return;
    now_ = now;
    tokens_->find(keys_, points_);
    const std::size_t confirmed = points_.confirmed();
    blocks_->match(points_, now, told_);
    if (points_.confirmed() > confirmed) tokens_->confirm(keys_, points_, confirmed);
  }
  // The prompt of the last ask() is sent there.
  void sent_to(PrefixId id) {
    index_.insert(keys_, id);
    if (points_.size() > 0) blocks_->expect(points_, told_, id, now_);
  }

  // The same for a session that the client names itself: a prompt of one block.
  void ask_session(std::uint64_t id) {
    session_keys_.reset(id);
    session_keys_.push(1, kSessionBytes);
    index_.match(session_keys_, session_match_);
  }
  bool session_at(PrefixId id) const { return session_match_.blocks(id) > 0; }
  void session_sent_to(PrefixId id) { index_.insert(session_keys_, id); }

  std::uint32_t held_bytes(PrefixId id) const {
    const std::uint32_t guessed = match_.bytes(keys_, id);
    const std::uint32_t known = points_.confirmed_bytes();
    if (known == 0) return guessed;
    return pick::held_bytes(guessed, points_.bytes(told_.blocks(id)), known, blocks_->trust(id));
  }
  // Its engine's word counts in that.
  bool is_told(PrefixId id) const {
    return points_.confirmed_bytes() > 0 && blocks_->trust(id) != Trust::kNone;
  }
  std::uint32_t prompt_bytes() const { return keys_.prompt_bytes(); }

  const PromptKeys& keys() const { return keys_; }
  // Whose tokens were learnt.
  std::uint32_t learnt_bytes() const { return points_.bytes(points_.size()); }
  // That were sent anywhere before.
  std::uint32_t seen_bytes() const { return keys_.bytes(match_.most()); }
  std::uint64_t seen_key() const { return match_.most() == 0 ? 0 : keys_.key(match_.most() - 1); }
  std::uint64_t last_key() const { return keys_.empty() ? 0 : keys_.key(keys_.size() - 1); }
  // Of the endpoint's engine, or what most have.
  std::uint32_t block_tokens(PrefixId id) const {
    const std::uint32_t tokens = blocks_ == nullptr ? 0 : blocks_->block_tokens(id);
    return tokens == 0 ? kUsualBlockTokens : tokens;
  }

 private:
  static constexpr std::uint32_t kSessionBytes = 64;  // of the endpoint's capacity
  static constexpr std::uint32_t kUsualBlockTokens = 16;

  PrefixIndex& index_;
  BlockIndex* blocks_;
  TokenMap* tokens_;
  PromptKeys keys_;
  PrefixMatch match_;
  TokenPoints points_;  // none: the prompt's tokens are not known, or nobody tells
  PrefixMatch told_;
  TimePoint now_{};
  PromptKeys session_keys_;
  PrefixMatch session_match_;
};

}  // namespace tidegate::pick
