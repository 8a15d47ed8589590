// Bytes as text and back.
//
// Thread: pure. Source: RFC 4648 section 4, with padding.

#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tidegate::base64 {

std::string encode(std::string_view bytes);

// Line ends are passed over. Empty optional if the text is none.
std::optional<std::string> decode(std::string_view text);

}  // namespace tidegate::base64
