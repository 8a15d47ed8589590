// How a text is compared: Istio's StringMatch and the match types of the Gateway API.
//
// Thread: pure; any thread.

#pragma once

#include <string>
#include <string_view>

#include "resource/reader.h"

namespace tidegate::resource {

enum class MatchType { kExact, kPrefix, kRegex, kPresent };

struct StringMatch {
  MatchType type = MatchType::kExact;
  std::string value;  // a regular expression must match the whole text
};

// Reads Istio's form from `reader`: one of exact, prefix and regex, or none for "is there at all".
StringMatch read_string_match(Reader& reader);

}  // namespace tidegate::resource
