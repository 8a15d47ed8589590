// Whether a whole text is what a source asks for, and what is said of sources that are refused.

#pragma once

#include <string>
#include <string_view>

#include "engine/guide/guide.h"

namespace tidegate::guide::testing {

// "yes", "no", "begins" (a text that could go on), or the reason why the source is refused.
inline std::string match(const Source& source, std::string_view text) {
  auto program = compile(source);
  if (!program) return describe(program.error());
  Machine machine(*std::move(program));
  machine.begin_work(10'000'000);
  StateId state = kBegin;
  for (const char c : text) state = machine.step(state, static_cast<std::uint8_t>(c));
  if (machine.overrun()) return "too much work";
  return state == kDead ? "no" : machine.accepting(state) ? "yes" : "begins";
}

inline std::string regex(std::string text, std::string_view subject) {
  return match({Source::Kind::kRegex, std::move(text)}, subject);
}

inline std::string schema(std::string text, std::string_view subject) {
  return match({Source::Kind::kJsonSchema, std::move(text)}, subject);
}

}  // namespace tidegate::guide::testing
