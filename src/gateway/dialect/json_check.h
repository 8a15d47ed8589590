// Whether a text is JSON by RFC 8259, to the letter.
//
// simdjson's on-demand reader checks only what it is asked to read. A gateway that lets
// "{"a":/*"model":"x"*/1}" pass relies on every engine being stricter than itself; this pass closes that
// door. It looks at structure, literals, numbers and escapes; that the bytes are UTF-8 and strings hold no
// control characters is left to simdjson, which does both anyway.
//
// Thread: pure.

#pragma once

#include <cstddef>
#include <string_view>

namespace tidegate::dialect {

// Deeper nesting is refused: nobody asks for it, and readers that recurse fall over it.
inline constexpr std::size_t kJsonDepthMax = 1024;

inline constexpr std::size_t kJsonFine = static_cast<std::size_t>(-1);

// kJsonFine, or the byte at which `text` stops being one JSON value with white space around it.
std::size_t json_fault(std::string_view text);

}  // namespace tidegate::dialect
