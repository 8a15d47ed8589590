#include "gateway/learning.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "gateway/dialect/edit.h"

namespace tidegate::gateway {
namespace {

// Less than this, or than a share of what is known already, is not worth a question.
constexpr std::uint32_t kSeenBytesMin = 512;
constexpr std::uint32_t kNewBytesMin = 1024;
constexpr std::uint32_t kShare = 8;

struct Wish {
  std::uint64_t key;  // of what would be learnt
  bool seen_before;   // so it comes again
};

std::optional<Wish> wish_of(const Walk& walk) {
  const bool has_tokens = walk.api == dialect::Api::kCompletions || walk.api == dialect::Api::kChat;
  // A salted prompt's blocks are not told by their tokens alone.
  if (!walk.live->told || !has_tokens || walk.is_form || !walk.facts.cache_salt.empty()) return std::nullopt;
  const pick::PromptLookup& prompts = walk.tools.prompts;
  const std::uint32_t known = prompts.learnt_bytes();
  if (prompts.seen_bytes() >= known + std::max(kSeenBytesMin, known / kShare))
    return Wish{prompts.seen_key(), true};
  if (prompts.prompt_bytes() >= known + std::max(kNewBytesMin, known / kShare))
    return Wish{prompts.last_key(), false};
  return std::nullopt;
}

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

// False if it is not worth it, or may not be asked now.
bool ask(Walk& walk, const fleet::Live& live, std::function<void()> answered) {
  const auto wish = wish_of(walk);
  const auto adapter = wish ? adapter_of(walk) : std::nullopt;
  kvfeed::Asker& asker = walk.tools.asker;
  if (!adapter ||
      !asker.may_ask(wish->key, walk.request.body.size(), wish->seen_before, walk.tools.loop.now()))
    return false;
  const pick::PromptLookup& prompts = walk.tools.prompts;
  asker.ask({live.address(), live.address_text(), live.secured(), body_for(walk), prompts.keys(),
             std::string(*adapter), prompts.block_tokens(live.prefix_id()), std::move(answered)});
  return true;
}

}  // namespace

void learn_prompt(Walk& walk, const fleet::Live& live) { ask(walk, live, nullptr); }

net::Task<bool> learn_first(Walk& walk, const fleet::Live& live) {
  net::Loop& loop = walk.tools.loop;
  const auto alarm = std::make_shared<net::Alarm>(loop);
  const std::weak_ptr<net::Alarm> waiting = alarm;
  std::function<void()> answered = [&loop, waiting] {
    loop.post([waiting] {
      if (const auto still = waiting.lock()) still->cancel();
    });
  };
  if (!ask(walk, live, std::move(answered))) co_return false;
  co_await alarm->after(walk.tools.config.kv_tokenize_wait);
  co_return true;
}

}  // namespace tidegate::gateway
