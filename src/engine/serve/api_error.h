// What a client is told when a request cannot be answered: status, OpenAI's error object in vLLM's wording.
//
// Thread: values; pure functions.
// Source: reference model-server.md section 1.4.

#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tidegate::serve {

struct ApiError {
  int status = 400;
  std::string type = "BadRequestError";
  std::string message;
  std::string param;  // empty: null
};

template <typename T>
using ApiResult = tl::expected<T, ApiError>;

// A meaning that cannot be: 400 BadRequestError.
tl::unexpected<ApiError> bad_request(std::string message, std::string param = {});
// A shape that cannot be: 400 with the HTTP phrase as type and the path of the field ("body.prompt").
tl::unexpected<ApiError> bad_shape(std::string_view kind, std::string_view path, std::string_view message);
ApiError not_found(std::string_view model);

ApiError from(const Error& error);

// {"error": {"message", "type", "param", "code"}}; before mid-2025 vLLM's were flat: {"object": "error",
// "message" ...}.
std::string error_body(const ApiError& error, bool flat);

// The same inside a stream whose status has been sent: one data event.
std::string error_event(const ApiError& error, bool flat);

}  // namespace tidegate::serve
