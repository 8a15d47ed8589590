// /tokenize and /detokenize.

#include "engine/serve/desk.h"
#include "engine/serve/json_out.h"

namespace tidegate::serve {
namespace {

ApiResult<std::string> tokenized(Desk& desk, std::string_view body) {
  const auto asked = desk.bodies.tokenize(body);
  if (!asked) return tl::unexpected(asked.error());
  if (!desk.catalog.find(asked->model)) return tl::unexpected(not_found(asked->model));
  std::string text;
  if (asked->prompt) {
    text = *asked->prompt;
  } else {
    auto rendered = desk.tokenizer.render_chat(asked->chat);
    if (!rendered) return bad_request(describe(rendered.error()));
    text = *std::move(rendered);
  }
  const auto tokens = desk.tokenizer.encode(text, asked->add_special_tokens);
  std::string out = "{";
  append_field(out, "count", tokens.size());
  append_field(out, "max_model_len", desk.engine.context_max());
  out += ",\"tokens\":[";
  for (const batch::Token token : tokens) {
    if (out.back() != '[') out += ',';
    append_int(out, token);
  }
  out += "],\"token_strs\":";
  if (!asked->return_token_strs) return out += "null}";
  out += '[';
  for (const batch::Token token : tokens) {
    if (out.back() != '[') out += ',';
    append_quoted(out, desk.tokenizer.piece(token));
  }
  return out += "]}";
}

ApiResult<std::string> detokenized(Desk& desk, std::string_view body) {
  const auto asked = desk.bodies.detokenize(body, desk.rules.vocabulary);
  if (!asked) return tl::unexpected(asked.error());
  if (!desk.catalog.find(asked->model)) return tl::unexpected(not_found(asked->model));
  const auto decoder = desk.tokenizer.decoder({}, false);
  std::string text;
  for (const batch::Token token : asked->tokens) decoder->push(token, text);
  decoder->finish(text);
  std::string out = "{";
  append_field(out, "prompt", text);
  return out += "}";
}

}  // namespace

Respond tokenize(Desk& desk, Exchange& exchange) {
  auto body = tokenized(desk, exchange.request.body);
  if (body) {
    co_await answer_json(exchange, 200, *std::move(body));
  } else {
    co_await answer_error(desk, exchange, body.error());
  }
}

Respond detokenize(Desk& desk, Exchange& exchange) {
  auto body = detokenized(desk, exchange.request.body);
  if (body) {
    co_await answer_json(exchange, 200, *std::move(body));
  } else {
    co_await answer_error(desk, exchange, body.error());
  }
}

}  // namespace tidegate::serve
