// What a well-formed head must also satisfy before anybody acts on it, and how its body is framed.
//
// Internal to the parser (h1.h). The head's raw parts are in place: start line, names, values. These
// functions judge them and fill in framing, content_length, keep_alive and expect_continue.
//
// Error fields: "method", "target", "version", "host", "content-length", "transfer-encoding", "connection",
// "expect" (417), "body", "content-type", "status".
//
// Thread: pure functions.

#pragma once

#include <string_view>

#include "base/result.h"
#include "http/head.h"

namespace tidegate::http {

// Requires: every value is followed by CR in memory, its blanks trimmed on both sides, and preceded by its
// name.
Result<void> judge_request(Head& head);
Result<void> judge_response(Head& head, bool response_to_head);

// A trailer line without its CRLF. Fields that frame, route or authenticate a message are refused: a reader
// that merges trailers into the head would be led astray.
Result<void> judge_trailer(std::string_view line);

}  // namespace tidegate::http
