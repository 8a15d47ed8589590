// One worker's way into the prefix index: the keys of the request at hand and what was found for them.
//
// Thread: one worker's; the index is everybody's.

#pragma once

#include <string_view>

#include "gateway/pick/prefix_index.h"
#include "gateway/pick/prompt_keys.h"

namespace tidegate::pick {

class PromptLookup {
 public:
  explicit PromptLookup(PrefixIndex& index) : index_(index) {}

  // Which endpoints hold how much of the prompt.
  void ask(std::uint64_t seed, std::string_view prompt) {
    keys_.hash(seed, prompt);
    index_.match(keys_, match_);
  }
  // The prompt of the last ask() is sent there.
  void sent_to(PrefixId id) { index_.insert(keys_, id); }

  // The same for a session that the client names itself: a prompt of one block.
  void ask_session(std::uint64_t id) {
    session_keys_.reset(id);
    session_keys_.push(1, kSessionBytes);
    index_.match(session_keys_, session_match_);
  }
  bool session_at(PrefixId id) const { return session_match_.blocks(id) > 0; }
  void session_sent_to(PrefixId id) { index_.insert(session_keys_, id); }

  std::uint32_t held_bytes(PrefixId id) const { return match_.bytes(keys_, id); }
  std::uint32_t prompt_bytes() const { return keys_.prompt_bytes(); }

 private:
  static constexpr std::uint32_t kSessionBytes = 64;  // of the endpoint's capacity

  PrefixIndex& index_;
  PromptKeys keys_;
  PrefixMatch match_;
  PromptKeys session_keys_;
  PrefixMatch session_match_;
};

}  // namespace tidegate::pick
