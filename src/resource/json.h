// JSON text to documents and back, with the limits that hold for every API object.
//
// Stricter than the library's own parser: duplicate keys are refused (two readers could see two different
// objects), depth and size are bounded, and whole numbers beyond 64 bits are refused rather than rounded.
//
// Thread: pure; any thread.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "resource/lines.h"
#include "resource/object.h"

namespace tidegate::resource {

inline constexpr std::size_t kObjectBytesMax = 1536 * 1024;  // as etcd behind a Kubernetes API server
inline constexpr std::size_t kDepthMax = 100;
inline constexpr std::size_t kFieldsMax = 10'000;  // of one JSON object

// Exactly one value, with nothing after it.
// Errors: kInvalid; kTooLarge if the text is longer than `bytes_max`.
Result<Json> parse_json(std::string_view text, std::size_t bytes_max = kObjectBytesMax);

// The object or list at the start of `text`, which is moved behind it, together with the blanks there. `line`
// is the line where `text` begins and is moved on too; `lines` may be null.
Result<Json> parse_json_prefix(std::string_view& text, std::size_t& line, LineTree* lines);

// Compact. Bytes that are no UTF-8 are replaced.
std::string to_text(const Json& json);

}  // namespace tidegate::resource
