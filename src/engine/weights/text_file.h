// Small text files of a model folder, read whole and bounded.
//
// Thread: any.

#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/result.h"

namespace tidegate::weights {

inline constexpr std::size_t kConfigBytesMax = std::size_t{4} << 20;

// The content of a regular file of at most `bytes_max` bytes.
// Errors: kNotFound, kInvalid (not a regular file), kTooLarge, kInternal (reading failed); the path is the
// error's field.
Result<std::string> read_text_file(const std::string& path, std::size_t bytes_max = kConfigBytesMax);

// The same, or nothing where there is no such file.
Result<std::optional<std::string>> read_optional_file(const std::string& path,
                                                      std::size_t bytes_max = kConfigBytesMax);

}  // namespace tidegate::weights
