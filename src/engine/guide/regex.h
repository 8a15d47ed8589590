// Regular expressions as constraints: the common part of what Python, ECMAScript and Rust agree on.
//
// Literals, ., [..], \d \w \s and their opposites (ASCII), \t \n \r \f \v \0 \xHH \uHHHH \u{H..}, groups
// (captured or not: it makes no difference here), |, * + ? {m} {m,} {m,n} (lazy ones as well: the language is
// the same), ^ at the beginning and $ at the end. What cannot be part of an automaton, or would need a look
// around, is refused by name.
//
// Thread: pure functions.

#pragma once

#include <string_view>
#include <vector>

#include "engine/guide/builder.h"

namespace tidegate::guide {

enum class Match : std::uint8_t {
  kWhole,   // all of the text
  kSearch,  // somewhere in the text, as JSON Schema's `pattern`
};

// A parsed expression: a tree, its root last.
struct Expression {
  enum class Kind : std::uint8_t { kSet, kSequence, kEither, kRepeat };
  struct Part {
    Kind kind = Kind::kSequence;
    CodeSet set;
    std::vector<std::size_t> inside;
    std::uint32_t least = 0, most = 0;  // of kRepeat
  };
  std::vector<Part> parts;
};

// Errors: kInvalid with the place (in bytes) and what is wrong there.
Result<Expression> parse_regex(std::string_view regex, Match match);

NodeId emit(Builder& builder, const Expression& expression, Spelling spelling, NodeId next);

}  // namespace tidegate::guide
