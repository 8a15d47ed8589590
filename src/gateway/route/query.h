// Query parameters as routes see them.
//
// Thread: pure.

#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tidegate::route {

// The first parameter of that name, decoded ("+" is a space, "%41" an A). `query` is what follows the
// question mark.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

}  // namespace tidegate::route
