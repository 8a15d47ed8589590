// Changes to a body as splices of byte ranges. The bytes between stay where they are: nothing is ever
// serialised again.
//
//   EditList edits;
//   edits.replace_model(facts, target.token);
//   edits.ask_for_usage(facts, traits);
//   Pieces out = edits.apply(body);     // out.view() goes to writev, out.total is the new Content-Length
//
// Thread: one owner; the pieces view the body, the tokens handed in and constants, and die with them.

#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "gateway/dialect/adapter_words.h"
#include "gateway/dialect/body_facts.h"
#include "gateway/dialect/traits.h"

namespace tidegate::dialect {

// Replaces `range` of a text by `with`. An empty range inserts.
struct Edit {
  Range range;
  std::string_view with;
};

// The new text in order. Pieces are never empty.
struct Pieces {
  static constexpr std::size_t kMax = 15;
  std::array<std::string_view, kMax> parts;
  std::size_t count = 0;
  std::size_t total = 0;  // bytes

  std::span<const std::string_view> view() const { return {parts.data(), count}; }
  std::string text() const;  // for tests
};

class EditList {
 public:
  static constexpr std::size_t kMax = 7;

  // `token` is a JSON string with its quotes (json_token). A body that names no model stays as it is.
  void replace_model(const BodyFacts& facts, std::string_view token);

  // Asks the engine for running usage in a stream, as far as `traits` allow, beside what the client asked
  // for. A member the client set to true stays; null and false become true; others are inserted. Does nothing
  // unless the body streams. What was added is injected_by(facts, traits).
  void ask_for_usage(const BodyFacts& facts, const EngineTraits& traits);

  // Sets the member that chooses the adapter (adapter_words.h) to `value`, which is JSON.
  void choose_adapter(const BodyFacts& facts, AdapterField field, std::string_view value);

  bool empty() const { return count_ == 0; }
  void clear() { count_ = 0; }

  // Requires: `text` is the body that the facts were read from.
  Pieces apply(std::string_view text) const;

 private:
  void add(Range range, std::string_view with);

  std::array<Edit, kMax> edits_;  // sorted by place; none overlap
  std::size_t count_ = 0;
};

}  // namespace tidegate::dialect
