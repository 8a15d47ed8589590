// Errors as values. Every function that can fail for a reason outside the program returns Result<T>.
//
// An Error is for the person who reads it: what is wrong, where, and what would be right. Its code is for the
// one place that translates errors at an edge (HTTP status, API Status, exit code); add a code only if some
// edge acts on it.

#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace tidegate {

enum class Code {
  kInvalid,       // the input can never be accepted as it is
  kUnauthorized,  // who asks is not known
  kForbidden,     // who asks is known and may not
  kNotFound,      // a name that nothing answers to
  kConflict,      // somebody changed it first, or the name is taken
  kGone,          // a position in history that is no longer kept
  kTooLarge,      // over a configured size limit
  kExhausted,     // a limit, a quota or a queue is full; later may work
  kUnavailable,   // the other side is away; elsewhere or later may work
  kDeadline,      // time ran out while waiting for the other side
  kCancelled,     // whoever asked has left
  kInternal,      // our fault
};

struct Error {
  Code code = Code::kInternal;
  std::string field;    // path into the object or request, e.g. "spec.targetModels[2].weight"; may be empty
  std::string message;  // one sentence, no trailing period: what is wrong, then what would be right
};

template <typename T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(Code code, std::string message, std::string field = {}) {
  return tl::unexpected(Error{code, std::move(field), std::move(message)});
}

inline tl::unexpected<Error> invalid(std::string field, std::string message) {
  return fail(Code::kInvalid, std::move(message), std::move(field));
}

// For people: "spec.weight is 0; use 1 to 1000000".
inline std::string describe(const Error& error) {
  return error.field.empty() ? error.message : error.field + " " + error.message;
}

}  // namespace tidegate
