#include "cluster/apiserver/status.h"

#include <nlohmann/json.hpp>

#include "resource/json.h"

namespace tidegate::apiserver {
namespace {

using resource::Json;

constexpr std::size_t kValueShownMax = 120;  // bytes of a wrong value in a message

struct Meaning {
  int code;
  std::string_view reason;
};

Meaning meaning_of(const Error& error) {
  switch (error.code) {
    case Code::kInvalid:
      return {422, "Invalid"};
    case Code::kUnauthorized:
      return {401, "Unauthorized"};
    case Code::kForbidden:
      return {403, "Forbidden"};
    case Code::kNotFound:
      return {404, "NotFound"};
    case Code::kConflict:
      // The port has one code for both; Kubernetes' clients act on the reason.
      return {409, error.message.ends_with("already exists") ? "AlreadyExists" : "Conflict"};
    case Code::kGone:
      return {410, "Expired"};
    case Code::kTooLarge:
      return {413, "RequestEntityTooLarge"};
    case Code::kExhausted:
      return {429, "TooManyRequests"};
    case Code::kUnavailable:
    case Code::kCancelled:
      return {503, "ServiceUnavailable"};
    case Code::kDeadline:
      return {504, "Timeout"};
    case Code::kInternal:
      break;
  }
  return {500, "InternalError"};
}

std::string_view reason_of(int code) {
  switch (code) {
    case 400:
      return "BadRequest";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "NotFound";
    case 405:
      return "MethodNotAllowed";
    case 406:
      return "NotAcceptable";
    case 408:
    case 504:
      return "Timeout";
    case 410:
      return "Expired";
    case 413:
      return "RequestEntityTooLarge";
    case 415:
      return "UnsupportedMediaType";
    case 429:
      return "TooManyRequests";
    case 503:
      return "ServiceUnavailable";
    default:
      return code < 500 ? "BadRequest" : "InternalError";
  }
}

// The value at "spec.containers[0].name", null if there is none. A step that holds dots itself is not found.
const Json* value_at(const Json& document, std::string_view path) {
  const Json* value = &document;
  while (!path.empty()) {
    if (path.front() == '[') {
      const std::size_t end = path.find(']');
      if (end == std::string_view::npos || !value->is_array()) return nullptr;
      std::size_t index = 0;
      for (const char c : path.substr(1, end - 1)) {
        if (c < '0' || c > '9' || index > value->size()) return nullptr;
        index = index * 10 + static_cast<std::size_t>(c - '0');
      }
      if (index >= value->size()) return nullptr;
      value = &(*value)[index];
      path.remove_prefix(end + 1);
    } else {
      const std::size_t end = std::min(path.find_first_of(".["), path.size());
      const auto found = value->is_object() ? value->find(std::string(path.substr(0, end))) : value->end();
      if (!value->is_object() || found == value->end()) return nullptr;
      value = &*found;
      path.remove_prefix(end);
    }
    if (!path.empty() && path.front() == '.') path.remove_prefix(1);
  }
  return value;
}

constexpr std::pair<std::string_view, std::string_view> kSaid[] = {
    {"Required value", "FieldValueRequired"},   {"Unsupported value: ", "FieldValueNotSupported"},
    {"Too long: ", "FieldValueTooLong"},        {"Too many: ", "FieldValueTooMany"},
    {"Duplicate value: ", "FieldValueDuplicate"}, {"Forbidden: ", "FieldValueForbidden"},
    {"Invalid value: ", "FieldValueInvalid"}};

Cause cause_of(const Error& error, const Json& document) {
  if (error.message.starts_with("is missing")) {
    return {"FieldValueRequired", "Required value", error.field};
  }
  // Schemas of custom kinds have said it in Kubernetes' words.
  if (error.message.find(" in body must be of type ") != std::string::npos) {
    return {"FieldValueTypeInvalid", error.message, error.field};
  }
  for (const auto& [start, reason] : kSaid) {
    if (error.message.starts_with(start)) return {std::string(reason), error.message, error.field};
  }
  const Json* value = value_at(document, error.field);
  if (value == nullptr || value->is_structured()) {
    return {"FieldValueInvalid", "Invalid value: " + error.message, error.field};
  }
  const std::string shown = resource::to_text(*value).substr(0, kValueShownMax);
  // "is 0; use 1 to 65535" says the value itself.
  std::string said = error.message;
  if (said.starts_with("is " + shown + "; ")) said.erase(0, shown.size() + 5);
  return {"FieldValueInvalid", "Invalid value: " + shown + ": " + said, error.field};
}

std::string kind_dot_group(const resource::Kind& kind) {
  return kind.group.empty() ? std::string(kind.kind) : std::string(kind.kind) + "." + std::string(kind.group);
}

}  // namespace

std::string qualified(const resource::Kind& kind) {
  return kind.group.empty() ? std::string(kind.plural)
                            : std::string(kind.plural) + "." + std::string(kind.group);
}

std::string to_text(const Status& status) {
  Json json = {{"kind", "Status"}, {"apiVersion", "v1"}, {"metadata", Json::object()}};
  json["status"] = status.code >= 400 ? "Failure" : "Success";
  if (!status.message.empty()) json["message"] = status.message;
  if (!status.reason.empty()) json["reason"] = status.reason;
  Json details = Json::object();
  const auto add = [&](const char* field, const std::string& value) {
    if (!value.empty()) details[field] = value;
  };
  add("name", status.name);
  add("group", status.group);
  add("kind", status.kind);
  add("uid", status.uid);
  for (const Cause& cause : status.causes) {
    Json item = {{"reason", cause.reason}, {"message", cause.message}};
    if (!cause.field.empty()) item["field"] = cause.field;
    details["causes"].push_back(std::move(item));
  }
  if (status.retry_after_s > 0) details["retryAfterSeconds"] = status.retry_after_s;
  // kubectl debug looks for a name in a 404's details without asking whether there are any.
  if (!details.empty() || status.code == 404) json["details"] = std::move(details);
  json["code"] = status.code;
  return resource::to_text(json);
}

Status plain_status(int code, std::string message) {
  Status status;
  status.code = code;
  status.reason = reason_of(code);
  status.message = std::move(message);
  if (code == 429) status.retry_after_s = 1;
  return status;
}

tl::unexpected<Status> bad_request(std::string message) {
  return tl::unexpected(plain_status(400, std::move(message)));
}

tl::unexpected<Status> unsupported_media_type(std::string_view accepted) {
  return tl::unexpected(
      plain_status(415, "the body of the request was in an unknown format - accepted media types include: " +
                            std::string(accepted)));
}

tl::unexpected<Status> method_not_allowed() {
  return tl::unexpected(plain_status(405, "the server does not allow this method on the requested resource"));
}

Status unknown_path() { return plain_status(404, "the server could not find the requested resource"); }

Status status_of(const Error& error, const resource::Kind& kind, std::string_view name) {
  if (error.code == Code::kInvalid) return invalid_object(kind, name, {error}, Json::object());
  const Meaning meaning = meaning_of(error);
  Status status = plain_status(meaning.code, describe(error));
  status.reason = meaning.reason;
  status.name = name;
  status.group = kind.group;
  status.kind = kind.plural;
  if (meaning.code == 429) status.retry_after_s = 1;
  return status;
}

Status invalid_object(const resource::Kind& kind, std::string_view name, const std::vector<Error>& errors,
                      const Json& document) {
  Status status;
  status.code = 422;
  status.reason = "Invalid";
  status.name = name;
  status.group = kind.group;
  status.kind = kind.kind;
  std::string all;
  for (const Error& error : errors) {
    Cause cause = cause_of(error, document);
    if (!all.empty()) all += ", ";
    all += (cause.field.empty() ? std::string("<nil>") : cause.field) + ": " + cause.message;
    status.causes.push_back(std::move(cause));
  }
  if (errors.size() > 1) all = "[" + all + "]";
  status.message = kind_dot_group(kind) + " \"" + std::string(name) + "\" is invalid: " + all;
  return status;
}

}  // namespace tidegate::apiserver
