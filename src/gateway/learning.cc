#include "gateway/learning.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "gateway/dialect/edit.h"

namespace tidegate::gateway {
namespace {

// Less than this, or than a share of what is known already, is not worth a question.
constexpr std::uint32_t kSeenBytesMin = 512;
constexpr std::uint32_t kNewBytesMin = 1024;
constexpr std::uint32_t kKnownPerSeen = 8;
constexpr std::uint32_t kKnownPerNew = 4;

// The adapter that the engine is asked for, "" for its base model. Nothing if that is not known.
std::optional<std::string_view> adapter_of(const Walk& walk) {
  const std::string_view model = walk.target_model();
  if (model.empty()) return std::nullopt;
  if (walk.live->bases.contains(model)) return std::string_view();
  if (walk.live->served && walk.live->served->contains(model)) return model;
  return std::nullopt;
}

std::string body_for(const Walk& walk) {
  dialect::EditList edits;
  if (walk.target) edits.replace_model(walk.facts, walk.target->token);
  const dialect::Pieces pieces = edits.apply(walk.request.body);
  std::string body;
  body.reserve(pieces.total);
  for (const std::string_view part : pieces.view()) body += part;
  return body;
}

}  // namespace

void learn_prompt(Walk& walk, const fleet::Live& live) {
  const bool has_tokens = walk.api == dialect::Api::kCompletions || walk.api == dialect::Api::kChat;
  // A salted prompt's blocks are not told by their tokens alone.
  if (!walk.live->told || !has_tokens || walk.is_form || !walk.facts.cache_salt.empty()) return;
  const pick::PromptLookup& prompts = walk.tools.prompts;
  const std::uint32_t known = prompts.learnt_bytes();
  const std::uint32_t seen = prompts.seen_bytes();
  const bool seen_before = seen >= known + std::max(kSeenBytesMin, known / kKnownPerSeen);
  const bool is_new = prompts.prompt_bytes() >= known + std::max(kNewBytesMin, known / kKnownPerNew);
  if (!seen_before && !is_new) return;
  const std::uint64_t key = seen_before ? prompts.seen_key() : prompts.last_key();
  if (!walk.tools.asker.may_ask(key, walk.request.body.size(), seen_before, walk.tools.loop.now())) return;
  const auto adapter = adapter_of(walk);
  if (!adapter) return;
  const std::uint32_t block = walk.tools.prompts.block_tokens(live.prefix_id());
  walk.tools.asker.ask({live.address(), live.address_text(), live.secured(), body_for(walk), prompts.keys(),
                        std::string(*adapter), block});
}

}  // namespace tidegate::gateway
