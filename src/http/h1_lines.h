// One line of an HTTP/1.1 head, without its CRLF, into its parts. Internal to the parser (h1.h).
//
// Each takes the one form that has no second reading and refuses every other: no run of blanks, no control
// byte, no CR, no bytes left over. What is accepted here is a part of what llhttp accepts in strict mode, and
// read the same; the fuzz entry h1 holds both against each other.
//
// Thread: pure functions. Errors: null, or what is wrong in words (static memory).

#pragma once

#include <string_view>

#include "http/head.h"

namespace tidegate::http {

// "HTTP/1.0" or "HTTP/1.1".
bool is_version(std::string_view text);

struct LineFault {
  const char* field = nullptr;  // null: the line is sound
  const char* message = nullptr;
};

// "POST /v1/models HTTP/1.1": method, target (its letters are judged later), minor_version.
LineFault read_request_line(std::string_view line, Head& head);

// "HTTP/1.1 200 OK", also without the reason or without the blank before it: status, reason, minor_version.
LineFault read_status_line(std::string_view line, Head& head);

// "Name: value": the value without the blanks around it.
LineFault read_field_line(std::string_view line, Header& header);

}  // namespace tidegate::http
