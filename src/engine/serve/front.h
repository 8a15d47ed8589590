// The HTTP face of the engine: which path does what, who may, and what is counted.
//
// Thread: the loop's own.
// Source: reference model-server.md section 1.1.

#pragma once

#include "engine/serve/desk.h"

namespace tidegate::serve {

// Answers one request.
net::Task<void> answer_request(Desk& desk, http::Request& request, http::Responder& responder);

// What http::Server answers by itself, in the engine's error shape.
std::string server_error_body(int status, const Error& error, bool flat);

}  // namespace tidegate::serve
