// Reading the times that API objects hold; clock.h writes them.
//
// Thread: pure; any thread.

#pragma once

#include <optional>
#include <string_view>

#include "base/clock.h"

namespace tidegate {

// In UTC ("Z"), with or without fractions. Empty for anything else.
std::optional<WallTime> parse_rfc3339(std::string_view text);

}  // namespace tidegate
