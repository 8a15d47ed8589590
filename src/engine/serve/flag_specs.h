// The table of known flags. Internal to this room.
//
// Thread: constant data.

#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/serve/flags.h"

namespace tidegate::serve {

enum class Takes {
  kNothing,  // a switch; also --no-NAME, and true or false as a value
  kValue,
  kMaybe,  // a value only after =
  kList,   // words up to the next flag
};

using Apply = Result<void> (*)(Flags& flags, const std::vector<std::string>& values);

struct FlagSpec {
  std::string_view name;  // without the dashes, words joined by -
  Takes takes;
  Apply apply;  // null: accepted with a note
  std::string_view help;
};

std::span<const FlagSpec> flag_specs();

// The table's entry; nothing if unknown.
const FlagSpec* find_flag(std::string_view name);

// The known flag with the fewest letters to change.
std::string_view nearest_flag(std::string_view name);

}  // namespace tidegate::serve
