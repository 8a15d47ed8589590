#include "gateway/dialect/answer.h"

#include <simdjson.h>

#include <utility>

#include "gateway/dialect/body_facts.h"
#include "gateway/dialect/json_text.h"

namespace tidegate::dialect {
namespace {

namespace dom = simdjson::dom;

// Long enough for any sentence of ours; an engine's may quote the whole request.
constexpr std::size_t kMessageMax = 1024;

// Cuts between characters, not inside one.
std::string_view shortened(std::string_view text) {
  if (text.size() <= kMessageMax) return text;
  std::size_t end = kMessageMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

void append_text_or_null(std::string& out, std::string_view text) {
  if (text.empty()) {
    out += "null";
  } else {
    append_json_token(out, text);
  }
}

void append_card(std::string& out, const ModelCard& card) {
  out += "{\"id\":";
  append_json_token(out, card.id);
  out += ",\"object\":\"model\",\"created\":" + std::to_string(card.created) +
         ",\"owned_by\":\"tidegate\",\"root\":";
  append_json_token(out, card.root.empty() ? card.id : card.root);
  out += ",\"parent\":";
  append_text_or_null(out, card.parent);
  out += ",\"max_model_len\":" + (card.max_model_len ? std::to_string(*card.max_model_len) : "null") + "}";
}

std::string text_of(const dom::object& object, std::string_view key) {
  std::string_view text;
  return object[key].get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

}  // namespace

ErrorFace face_of(const Error& error) {
  constexpr std::string_view kRequest = "invalid_request_error";
  switch (error.code) {
    case Code::kInvalid:
      return {400, kRequest, "", 0};
    case Code::kUnauthorized:
      return {401, kRequest, "invalid_api_key", 0};
    case Code::kForbidden:
      return {403, "permission_error", "forbidden", 0};
    case Code::kNotFound:
      return {404, kRequest, error.field == "model" ? "model_not_found" : "not_found", 0};
    case Code::kConflict:
      return {409, kRequest, "conflict", 0};
    case Code::kGone:
      return {410, kRequest, "gone", 0};
    case Code::kTooLarge:
      if (error.field == "headers") return {431, kRequest, "headers_too_large", 0};
      if (error.field == "target") return {414, kRequest, "target_too_long", 0};
      return {413, kRequest, "request_too_large", 0};
    case Code::kExhausted:
      return {429, "rate_limit_error", "rate_limit_exceeded", 1};
    case Code::kUnavailable:
      if (error.field == "answer") return {502, "server_error", "bad_gateway", 0};
      return {503, "service_unavailable_error", "service_unavailable", 1};
    case Code::kDeadline:
      return {504, "timeout_error", "deadline_exceeded", 0};
    case Code::kCancelled:
      return {499, kRequest, "cancelled", 0};
    case Code::kInternal:
      return {500, "server_error", "internal_error", 0};
  }
  return {500, "server_error", "internal_error", 0};
}

std::string error_body(const Error& error) {
  const ErrorFace face = face_of(error);
  std::string out = "{\"error\":{\"message\":";
  append_json_token(out, shortened(error.message));
  out += ",\"type\":";
  append_json_token(out, face.type);
  out += ",\"param\":";
  // Where an engine failed, no field of the client's is to blame.
  append_text_or_null(out, error.code == Code::kUnavailable ? std::string() : shortened(error.field));
  out += ",\"code\":";
  append_text_or_null(out, face.code);
  out += "}}";
  return out;
}

std::string messages_error_body(const Error& error) {
  const auto type = [&]() -> std::string_view {
    switch (error.code) {
      case Code::kUnauthorized:
        return "authentication_error";
      case Code::kForbidden:
        return "permission_error";
      case Code::kNotFound:
        return "not_found_error";
      case Code::kTooLarge:
        return "request_too_large";
      case Code::kExhausted:
        return "rate_limit_error";
      case Code::kUnavailable:
        return "overloaded_error";
      case Code::kDeadline:
      case Code::kInternal:
        return "api_error";
      default:
        return "invalid_request_error";
    }
  };
  std::string out = "{\"type\":\"error\",\"error\":{\"type\":";
  append_json_token(out, type());
  out += ",\"message\":";
  append_json_token(out, shortened(error.message));
  out += "}}";
  return out;
}

std::optional<EngineError> read_engine_error(std::string_view body) {
  dom::parser parser;
  dom::object object;
  if (parser.parse(body.data(), body.size()).get(object) != simdjson::SUCCESS) return std::nullopt;
  if (dom::object inner; object["error"].get(inner) == simdjson::SUCCESS) {
    object = inner;
  } else if (std::string_view text; object["error"].get(text) == simdjson::SUCCESS) {
    return EngineError{std::string(text), "", "", 0};  // vLLM's answer to a wrong key
  } else if (text_of(object, "object") != "error") {
    return std::nullopt;
  }
  EngineError error{text_of(object, "message"), text_of(object, "type"), text_of(object, "param"), 0};
  if (std::int64_t code = 0; object["code"].get(code) == simdjson::SUCCESS && code >= 0 && code < 1000) {
    error.code = static_cast<int>(code);
  }
  return error;
}

// vLLM and those like it answer 404; SGLang 400, when it has lost an adapter that it listed.
bool says_model_missing(int status, std::string_view body) {
  if (status == 400) return body.find("requested LoRA adapters are not loaded") != std::string_view::npos;
  if (status != 404) return false;
  const std::optional<EngineError> error = read_engine_error(body);
  if (!error) return false;
  const auto says = [&](std::string_view words) { return error->message.find(words) != std::string::npos; };
  return error->param == "model" || (says("model") && (says("does not exist") || says("not found")));
}

std::string models_body(std::span<const ModelCard> cards) {
  std::string out = "{\"object\":\"list\",\"data\":[";
  for (std::size_t i = 0; i < cards.size(); ++i) {
    if (i > 0) out += ',';
    append_card(out, cards[i]);
  }
  out += "]}";
  return out;
}

std::string model_body(const ModelCard& card) {
  std::string out;
  append_card(out, card);
  return out;
}

Result<std::vector<ServedModel>> read_models(std::string_view body, std::size_t cards_max) {
  dom::parser parser;
  dom::object object;
  dom::array data;
  if (parser.parse(body.data(), body.size()).get(object) != simdjson::SUCCESS ||
      object["data"].get(data) != simdjson::SUCCESS) {
    return fail(Code::kInvalid, "The endpoint's list of models is not {\"data\": [...]}");
  }
  std::vector<ServedModel> models;
  for (const dom::element element : data) {
    if (models.size() == cards_max) break;
    dom::object card;
    if (element.get(card) != simdjson::SUCCESS) continue;
    ServedModel model{text_of(card, "id"), text_of(card, "root"),    text_of(card, "parent"), 0,
                      std::nullopt,        text_of(card, "owned_by")};
    if (model.id.empty() || model.id.size() > kModelBytesMax) continue;
    std::int64_t number = 0;
    if (card["created"].get(number) == simdjson::SUCCESS) model.created = number;
    if (card["max_model_len"].get(number) == simdjson::SUCCESS) model.max_model_len = number;
    models.push_back(std::move(model));
  }
  return models;
}

}  // namespace tidegate::dialect
