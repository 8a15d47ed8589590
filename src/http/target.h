// What a request asks for: a target split into its parts, percent-decoding, and query parameters.
//
// Nothing is normalised in silence. A path comes out as it was sent: dot segments, empty segments and escapes
// stay; a caller that matches paths or opens files asks has_dot_segments() first. Fragments, NUL, control
// bytes and broken escapes are refused, raw or escaped.
//
// Source: RFC 9112 section 3.2 (forms), RFC 3986 section 2.1 (escapes), WHATWG URL (parameters: '+' is a
// space).
//
// Thread: pure functions; views point into the argument.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace tidegate::http {

struct Target {
  std::string_view scheme;     // absolute-form only: "http" or "https" as sent
  std::string_view authority;  // absolute-form only: "host" or "host:port"
  std::string_view path;       // "/v1/models"; "*" for asterisk-form; "/" for an absolute-form without path
  std::string_view query;      // what follows the '?', or empty
  bool has_query = false;      // tells "/a?" from "/a"
};

// Splits origin-form, absolute-form and "*". Errors: kInvalid with field "target".
Result<Target> split_target(std::string_view target);

// Replaces each "%XX" by its byte. Errors: kInvalid for a broken escape and for one of a control byte.
Result<std::string> percent_decode(std::string_view text);

// Escapes everything but unreserved characters, so that the result can stand in any part of a target.
std::string percent_encode(std::string_view text);

// True if some segment is "." or "..", also where dots or slashes are escaped. Such a path can mean one thing
// here and another to whom it is forwarded.
bool has_dot_segments(std::string_view path);

// "a=1&b=2" decoded, in order, repeated names kept. A name without '=' has an empty value; empty pieces are
// skipped. Errors: kInvalid for a broken escape, kTooLarge for more than 256 parameters.
Result<std::vector<std::pair<std::string, std::string>>> query_parameters(std::string_view query);

// The first parameter of that name, decoded; nothing if there is none or its escapes are broken.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

}  // namespace tidegate::http
