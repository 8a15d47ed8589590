// Turns the table of types into schemas.
//
// Thread: pure; any thread.

#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "resource/schema.h"

namespace tidegate::schema {

// The pieces between separators, without empty ones.
std::vector<std::string_view> split(std::string_view text, char separator);

// By "core.v1.PodSpec". The table is our own: a line that makes no sense ends the program.
using Types = std::map<std::string, resource::SchemaPtr, std::less<>>;
Types parse_types(std::span<const std::string_view> packages);

}  // namespace tidegate::schema
