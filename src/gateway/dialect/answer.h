// What the gateway itself says to a client: OpenAI's error object and the list of models.
//
// Source: OpenAI API reference (error has message, type, param and code, all present; param and code may be
// null), vLLM's list of models, RFC 9110 (Retry-After).
//
// Thread: pure.

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidegate::dialect {

// How an Error looks from outside.
struct ErrorFace {
  int status;             // HTTP
  std::string_view type;  // OpenAI's error.type
  std::string_view code;  // OpenAI's error.code; empty: null
  int retry_after_s;      // for the Retry-After header; 0: none
};

// The one place that maps codes to HTTP. field "model" with kNotFound is model_not_found; field "headers" or
// "target" with kTooLarge is 431 or 414 instead of 413.
ErrorFace face_of(const Error& error);

// {"error":{"message":...,"type":...,"param":...,"code":...}}. The message is cut at 1 KiB. param is the
// error's field, or null. The same object goes into a data event when the status is already sent.
std::string error_body(const Error& error);

// The same in the shape of Anthropic's Messages, for their clients.
std::string messages_error_body(const Error& error);

// What an engine's error body says, of both of vLLM's shapes, for logs and decisions. Empty parts where it
// says nothing.
struct EngineError {
  std::string message;
  std::string type;
  std::string param;
  int code = 0;
};
std::optional<EngineError> read_engine_error(std::string_view body);

// Whether a refusal says that the engine does not have the model or adapter it was asked for.
bool says_model_missing(int status, std::string_view body);

struct ModelCard {
  std::string_view id;
  std::string_view root;     // what it stands for; empty: itself
  std::string_view parent;   // an adapter's base; empty: none
  std::int64_t created = 0;  // Unix seconds
  std::optional<std::int64_t> max_model_len;
};

// {"object":"list","data":[...]} in the order given.
std::string models_body(std::span<const ModelCard> cards);
// One card, for GET /v1/models/{name}.
std::string model_body(const ModelCard& card);

// Cards out of an engine's own /v1/models. Errors: kInvalid if it is no such list. Names beyond `cards_max`
// are dropped.
struct ServedModel {
  std::string id;
  std::string root;
  std::string parent;  // empty for a base model
  std::int64_t created = 0;
  std::optional<std::int64_t> max_model_len;
  std::string owner = {};  // owned_by: the engine's name, mostly
};
// A view of it.
inline ModelCard card_of(const ServedModel& model) {
  return {model.id, model.root, model.parent, model.created, model.max_model_len};
}
Result<std::vector<ServedModel>> read_models(std::string_view body, std::size_t cards_max = 4096);

}  // namespace tidegate::dialect
