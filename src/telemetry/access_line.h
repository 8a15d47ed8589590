// One access log entry in its two other forms: packed into a ring's record by the worker, and written as a
// JSON line by the log's own thread. Internal to access_log.
//
// Thread: pure functions.

#pragma once

#include <cstddef>

#include "telemetry/access_log.h"

namespace tidegate::telemetry {

// Bytes that pack() will write.
std::size_t packed_size(const AccessEntry& entry);

// Copies the entry, long texts cut; how many bytes. Requires: room for packed_size().
std::size_t pack(const AccessEntry& entry, char* out);

// No line is longer, whatever its texts hold and however much of it is escaped.
inline constexpr std::size_t kLineBytesMax = 40 * 1024;

// Writes the JSON object of a packed entry; the end of what was written. Requires: room for kLineBytesMax.
char* write_line(char* out, const char* record);

}  // namespace tidegate::telemetry
