#include "gateway/dialect/traits.h"

namespace tidegate::dialect {

Injected injected_by(const BodyFacts& facts, const EngineTraits& traits) {
  Injected injected;
  if (!facts.streams() || !traits.include_usage) return injected;
  injected.include_usage = facts.include_usage != Flag::kTrue;
  injected.continuous_usage = traits.continuous_usage && facts.continuous_usage != Flag::kTrue;
  return injected;
}

EngineTraits learn_from_refusal(const EngineTraits& before, const Injected& injected, int status,
                                std::string_view body) {
  if (!injected.any() || (status != 400 && status != 422)) return before;
  const auto names = [body](std::string_view word) { return body.find(word) != std::string_view::npos; };
  // The narrowest reading first: a refusal that names the vLLM extension says nothing about OpenAI's member.
  if (injected.continuous_usage && names("continuous_usage_stats")) return {before.include_usage, false};
  if (injected.include_usage && (names("include_usage") || names("stream_options"))) return {false, false};
  if (injected.continuous_usage && names("stream_options")) return {before.include_usage, false};
  return before;
}

}  // namespace tidegate::dialect
