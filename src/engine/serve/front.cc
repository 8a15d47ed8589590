#include "engine/serve/front.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <span>

#include "base/ascii.h"
#include "engine/serve/json_out.h"
#include "http/write.h"

namespace tidegate::serve {
namespace {

Respond health(Desk& desk, Exchange& exchange) {
  const bool ready = desk.clock.now() >= desk.ready_at && !desk.draining && !desk.engine.snapshot().broken;
  exchange.status = ready ? 200 : 503;
  co_await exchange.responder.respond(exchange.status, "", "");
}

Respond models(Desk& desk, Exchange& exchange) {
  co_await answer_json(exchange, 200, desk.catalog.json(desk.engine.context_max()));
}

// A model that writes text has none worth giving away.
Respond no_embeddings(Desk& desk, Exchange& exchange) {
  const ApiError error{400, "BadRequestError", "The model does not support Embeddings API", ""};
  co_await answer_error(desk, exchange, error);
}

Respond version(Desk&, Exchange& exchange) {
  co_await answer_json(exchange, 200, "{\"version\":\"" TIDEGATE_VERSION "\",\"engine\":\"tidegate\"}");
}

Respond load(Desk& desk, Exchange& exchange) {
  co_await answer_json(exchange, 200, "{\"server_load\":" + std::to_string(desk.in_flight) + "}");
}

Respond metrics(Desk& desk, Exchange& exchange) {
  const EngineThread::Snapshot snapshot = desk.engine.snapshot();
  desk.rates.look(snapshot.stats, desk.clock.now());
  desk.busy.look(snapshot.busy, desk.clock.now());
  const auto environment = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string_view(value == nullptr ? "" : value);
  };
  const MetricsPage page{.stats = snapshot.stats,
                         .model_name = desk.catalog.first_name(),
                         .adapter_names = desk.catalog.names_by_id(),
                         .loras_max = desk.flags.lora ? desk.flags.loras_max : 0,
                         .last_step = snapshot.last_step,
                         .rates = desk.rates,
                         .cache = desk.cache,
                         .sleep = desk.sleep,
                         .http = desk.http_counts,
                         .old_vllm = desk.flags.old_vllm,
                         .sm_util = desk.engine.simulated() ? std::optional(desk.busy.percent()) : std::nullopt,
                         .pod_namespace = environment("POD_NAMESPACE"),
                         .pod_name = environment("POD_NAME"),
                         .node_name = environment("NODE_NAME")};
  exchange.status = 200;
  co_await exchange.responder.respond(200, "text/plain; version=0.0.4; charset=utf-8", metrics_text(page));
}

using Handle = Respond (*)(Desk&, Exchange&);

enum class Open { kAlways, kRuntimeLora, kDevMode, kSleepMode };

struct Route {
  std::string_view method;
  std::string_view path;
  Handle handle;
  Open open = Open::kAlways;
  bool works = false;  // needs a ready engine and, for POST, a JSON body
};

constexpr Route kRoutes[] = {
    {"POST", "/v1/completions", completions, Open::kAlways, true},
    {"POST", "/v1/chat/completions", chat_completions, Open::kAlways, true},
    {"POST", "/invocations", invocations, Open::kAlways, true},
    {"GET", "/v1/models", models},
    {"POST", "/v1/embeddings", no_embeddings, Open::kAlways, true},
    {"POST", "/tokenize", tokenize, Open::kAlways, true},
    {"POST", "/detokenize", detokenize, Open::kAlways, true},
    {"GET", "/health", health},
    {"GET", "/ping", health},
    {"POST", "/ping", health},
    {"GET", "/version", version},
    {"GET", "/load", load},
    {"GET", "/metrics", metrics},
    {"POST", "/v1/load_lora_adapter", load_adapter, Open::kRuntimeLora, true},
    {"POST", "/v1/unload_lora_adapter", unload_adapter, Open::kRuntimeLora, true},
    {"POST", "/sleep", sleep, Open::kSleepMode},
    {"POST", "/wake_up", wake_up, Open::kSleepMode},
    {"GET", "/is_sleeping", is_sleeping, Open::kDevMode},
    {"POST", "/reset_prefix_cache", reset_prefix_cache, Open::kDevMode},
};

bool is_open(const Desk& desk, Open open) {
  switch (open) {
    case Open::kAlways:
      return true;
    case Open::kRuntimeLora:
      return desk.flags.runtime_lora;
    case Open::kDevMode:
      return desk.flags.dev_mode;
    case Open::kSleepMode:
      return desk.flags.dev_mode && desk.flags.sleep_mode;
  }
  return false;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^
                  static_cast<unsigned char>(b[i % std::max<std::size_t>(b.size(), 1)]);
  }
  return difference == 0;
}

bool authorized(const Desk& desk, const http::Request& request) {
  if (desk.flags.api_keys.empty() || !request.path.starts_with("/v1") || request.method == "OPTIONS")
    return true;
  const std::string_view given = request.header("Authorization").value_or("");
  constexpr std::string_view kScheme = "Bearer ";
  if (given.size() < kScheme.size() ||
      !ascii::equals_ignoring_case(given.substr(0, kScheme.size()), kScheme)) {
    return false;
  }
  const std::string_view token = given.substr(kScheme.size());
  bool known = false;
  for (const std::string& key : desk.flags.api_keys) {
    if (!key.empty() && equal_in_constant_time(token, key)) known = true;
  }
  return known;
}

bool is_json(const http::Request& request) {
  std::string_view type = request.header("Content-Type").value_or("");
  type = ascii::trim(type.substr(0, type.find(';')));
  return ascii::equals_ignoring_case(type, "application/json");
}

// The route of (method, path). A path that exists with other methods gives 405.
ApiResult<const Route*> find_route(const Desk& desk, const http::Request& request) {
  bool path_known = false;
  for (const Route& route : kRoutes) {
    if (route.path != request.path || !is_open(desk, route.open)) continue;
    path_known = true;
    if (route.method == request.method || (route.method == "GET" && request.method == "HEAD")) return &route;
  }
  if (path_known) return tl::unexpected(ApiError{405, "Method Not Allowed", "Method Not Allowed", ""});
  return tl::unexpected(ApiError{404, "Not Found", "Not Found", ""});
}

ApiResult<void> admit(const Desk& desk, const Route& route, const http::Request& request) {
  if (!route.works) return {};
  if (desk.clock.now() < desk.ready_at) {
    return tl::unexpected(ApiError{503, "ServiceUnavailableError", "The engine is starting.", ""});
  }
  if (!is_json(request)) {
    return tl::unexpected(ApiError{desk.flags.old_vllm ? 415 : 400, "Unsupported Media Type",
                                   "Unsupported Media Type: Only 'application/json' is allowed", ""});
  }
  return {};
}

}  // namespace

Respond answer_json(Exchange& exchange, int status, std::string body) {
  exchange.status = status;
  const auto sent = co_await exchange.responder.respond(status, "application/json", std::move(body));
  (void)sent;
}

Respond answer_error(Desk& desk, Exchange& exchange, const ApiError& error) {
  if (error.status == 429 || error.status == 503) exchange.responder.header("Retry-After", "1");
  exchange.status = error.status;
  std::string body = error_body(error, desk.flags.old_vllm);
  const auto sent = co_await exchange.responder.respond(error.status, "application/json", std::move(body));
  (void)sent;
}

net::Task<void> answer_request(Desk& desk, http::Request& request, http::Responder& responder) {
  Exchange exchange{request, responder};
  std::string_view handler = "none";
  if (!authorized(desk, request)) {
    co_await answer_json(exchange, 401, "{\"error\":\"Unauthorized\"}");
  } else {
    const auto route = find_route(desk, request);
    const auto admitted = route ? admit(desk, **route, request) : ApiResult<void>();
    if (route) handler = (*route)->path;
    if (!route) {
      co_await answer_error(desk, exchange, route.error());
    } else if (!admitted) {
      co_await answer_error(desk, exchange, admitted.error());
    } else {
      co_await (*route)->handle(desk, exchange);
    }
  }
  // Methods are the client's words; only the usual ones become labels.
  const std::string_view method =
      request.method == "GET" || request.method == "POST" ? request.method : "other";
  const std::string status = exchange.status == 0 ? "none" : std::to_string(exchange.status / 100) + "xx";
  ++desk.http_counts[{std::string(handler), std::string(method), status}];
}

std::string server_error_body(int status, const Error& error, bool flat) {
  const std::string phrase(http::reason_phrase(status));
  return error_body({status, phrase, error.message.empty() ? phrase : error.message, error.field}, flat);
}

}  // namespace tidegate::serve
