#include "engine/serve/api_error.h"

#include "engine/serve/json_out.h"

namespace tidegate::serve {

tl::unexpected<ApiError> bad_request(std::string message, std::string param) {
  return tl::unexpected(ApiError{400, "BadRequestError", std::move(message), std::move(param)});
}

tl::unexpected<ApiError> bad_shape(std::string_view kind, std::string_view path, std::string_view message) {
  std::string text = "[{'type': '";
  text += kind;
  text += "', 'loc': ('body'";
  std::string param = "body";
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    const bool index = part.find_first_not_of("0123456789") == std::string_view::npos;
    text += ", ";
    if (!index) text += '\'';
    text += part;
    if (!index) text += '\'';
    param += '.';
    param += part;
    begin = end + 1;
  }
  text += path.empty() ? ",), 'msg': '" : "), 'msg': '";
  text += message;
  text += "'}]";
  return tl::unexpected(ApiError{400, "Bad Request", std::move(text), std::move(param)});
}

ApiError not_found(std::string_view model) {
  constexpr std::size_t kShown = 200;
  return {404, "NotFoundError", "The model `" + std::string(model.substr(0, kShown)) + "` does not exist.",
          "model"};
}

ApiError from(const Error& error) {
  const std::string message = describe(error);
  switch (error.code) {
    case Code::kInvalid:
    case Code::kConflict:
      return {400, "BadRequestError", message, ""};
    case Code::kUnauthorized:
      return {401, "Unauthorized", message, ""};
    case Code::kForbidden:
      return {403, "Forbidden", message, ""};
    case Code::kNotFound:
    case Code::kGone:
      return {404, "NotFoundError", message, ""};
    case Code::kTooLarge:
      return {413, "Request Entity Too Large", message, ""};
    case Code::kExhausted:
      return {429, "RateLimitError", message, ""};
    case Code::kUnavailable:
    case Code::kDeadline:
    case Code::kCancelled:
      return {503, "ServiceUnavailableError", message, ""};
    case Code::kInternal:
      break;
  }
  return {500, "InternalServerError", message, ""};
}

namespace {

void append_fields(std::string& out, const ApiError& error) {
  append_field(out, "message", error.message);
  append_field(out, "type", error.type);
  if (error.param.empty()) {
    append_null(out, "param");
  } else {
    append_field(out, "param", error.param);
  }
  append_field(out, "code", error.status);
}

}  // namespace

std::string error_body(const ApiError& error, bool flat) {
  std::string out = flat ? "{\"object\":\"error\"" : "{\"error\":{";
  append_fields(out, error);
  out += flat ? "}" : "}}";
  return out;
}

std::string error_event(const ApiError& error, bool flat) {
  return "data: " + error_body(error, flat) + "\n\n";
}

}  // namespace tidegate::serve
