#include "cluster/apiserver/front.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/ascii.h"
#include "cluster/apiserver/computed.h"
#include "cluster/apiserver/discovery.h"
#include "cluster/apiserver/exec.h"
#include "cluster/apiserver/logs.h"
#include "cluster/apiserver/openapi.h"
#include "cluster/apiserver/portforward.h"
#include "cluster/apiserver/usage.h"
#include "cluster/apiserver/watch.h"
#include "cluster/store/kind_registry.h"

namespace tidegate::apiserver {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::size_t kWarningMax = 1000;

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^
                  static_cast<unsigned char>(b[i % std::max<std::size_t>(b.size(), 1)]);
  }
  return difference == 0;
}

bool authorized(const Desk& desk, const http::Request& request) {
  if (desk.options.token.empty()) return true;
  constexpr std::string_view kScheme = "Bearer ";
  const std::string_view given = request.header("Authorization").value_or("");
  return given.size() > kScheme.size() &&
         ascii::equals_ignoring_case(given.substr(0, kScheme.size()), kScheme) &&
         equal_in_constant_time(desk.options.token, given.substr(kScheme.size()));
}

bool is_health(std::string_view path) {
  for (const std::string_view root : {"/healthz", "/livez", "/readyz"}) {
    if (path == root || (path.starts_with(root) && path[root.size()] == '/')) return true;
  }
  return false;
}

std::string health_text(const http::Request& request) {
  const bool verbose = ("&" + std::string(request.query) + "&").find("&verbose") != std::string::npos;
  if (!verbose) return "ok";
  return "[+]ping ok\n[+]store ok\n" + std::string(request.path.substr(1)) + " check passed\n";
}

// A header's value must be printable and in quotes.
std::string warning_text(std::string_view message) {
  std::string text = "299 - \"";
  for (const char c : message.substr(0, kWarningMax)) {
    if (c == '"' || c == '\\') text += '\\';
    text += c >= 0x20 && c < 0x7f ? c : ' ';
  }
  return text + "\"";
}

net::Task<void> respond(http::Responder& responder, Response response) {
  for (const std::string& warning : response.warnings) responder.header("Warning", warning_text(warning));
  if (response.retry_after_s > 0) responder.header("Retry-After", std::to_string(response.retry_after_s));
  Result<void> sent = co_await responder.respond(response.code, kJson, std::move(response.body));
  (void)sent;
}

resource::KindSetPtr kinds_of(const Desk& desk) {
  static const auto kBuiltIn = std::make_shared<const resource::KindSet>();
  return desk.options.kinds == nullptr ? kBuiltIn : desk.options.kinds->current();
}

// Paths that name no resource. Nothing for those that do, and for the unknown.
std::optional<Response> fixed(const Desk& desk, const http::Request& request, Form form,
                              const resource::KindSet& kinds) {
  if (request.method != "GET" && request.method != "HEAD") return std::nullopt;
  if (request.path == "/version") return Response{200, version_text(desk.options.build), {}};
  if (auto text = openapi(request.path, kinds)) return Response{200, *std::move(text), {}};
  if (auto text = discovery(request.path, form, kinds)) return Response{200, *std::move(text), {}};
  return std::nullopt;
}

const Computed* find_computed(const ResourcePath& path) {
  for (const Computed& each : computed_resources()) {
    if (each.group == path.group && each.version == path.version && each.resource == path.resource)
      return &each;
  }
  return nullptr;
}

// Understands a request for a resource. `computed` is set for one that is not stored.
Answer<Call> make_call(http::Request& request, Form form, resource::KindSetPtr kinds,
                       const Computed*& computed) {
  auto path = parse_resource_path(request.path);
  if (!path || path->resource.empty()) return tl::unexpected(unknown_path());
  Call call;
  call.path = *std::move(path);
  computed = find_computed(call.path);
  call.kinds = std::move(kinds);
  call.kind = find_resource(call.path, *call.kinds);
  if (call.kind == nullptr && computed == nullptr) return tl::unexpected(unknown_path());
  auto options = parse_options(request.query, request.method);
  if (!options) return tl::unexpected(options.error());
  call.options = *std::move(options);
  call.method = request.method;
  call.form = form;
  call.content_type = request.header("Content-Type").value_or("");
  call.user_agent = request.header("User-Agent").value_or("");
  call.body = std::move(request.body);
  return call;
}

Answer<Response> answer_computed(const Desk& desk, const Computed& computed, const Call& call) {
  if (!computed.readable) return answer_review(computed.kind, call);
  return answer_usage(desk.context, desk.options.kubelet, call);
}

net::Task<void> serve_call(Desk& desk, const http::Request& request, const Call& call, const Computed* computed,
                           http::Responder& responder) {
  const bool reads = call.method == "GET" || call.method == "HEAD";
  if (call.kind != nullptr && reads && call.options.watch && call.path.subresource.empty()) {
    co_await serve_watch(desk.context, desk.hub, desk.workers, desk.loop, call, responder);
    co_return;
  }
  if (call.kind != nullptr && call.kind->kind == "Pod" && call.path.subresource == "log" && reads) {
    co_await serve_log(desk, call, responder);
    co_return;
  }
  if (call.kind != nullptr && call.kind->kind == "Pod" && call.path.subresource == "exec") {
    co_await serve_exec(desk, request, call, responder);
    co_return;
  }
  if (call.kind != nullptr && call.kind->kind == "Pod" && call.path.subresource == "portforward") {
    co_await serve_portforward(desk, request, call, responder);
    co_return;
  }
  Response response;
  std::function<void()> work = [&] {
    if (call.kind != nullptr) {
      response = answer(desk.context, call);
      return;
    }
    auto answered = answer_computed(desk, *computed, call);
    response = answered ? *std::move(answered) : failure(answered.error());
  };
  const bool taken = co_await desk.workers.run(std::move(work));
  if (!taken) response = failure(plain_status(429, "too many requests are waiting; try again later"));
  co_await respond(responder, std::move(response));
}

}  // namespace

net::Task<void> serve(Desk& desk, http::Request& request, http::Responder& responder) {
  responder.header("Cache-Control", "no-cache, private");
  if (is_health(request.path)) {
    Result<void> sent = co_await responder.respond(200, "text/plain; charset=utf-8", health_text(request));
    (void)sent;
    co_return;
  }
  if (!authorized(desk, request)) {
    responder.header("WWW-Authenticate", "Bearer realm=\"tidegate\"");
    co_await respond(responder, failure(plain_status(401, "Unauthorized")));
    co_return;
  }
  if (request.path == "/openapi/v2" && request.method == "GET") {
    const std::string_view accept = request.header("Accept").value_or("");
    const bool protobuf = accept.find("proto-openapi") != std::string_view::npos;
    const std::string_view type =
        protobuf ? "application/com.github.proto-openapi.spec.v2.v1.0+protobuf" : kJson;
    Result<void> sent = co_await responder.respond(200, type, empty_openapi_v2(protobuf));
    (void)sent;
    co_return;
  }
  const auto form = accepted_form(request.header("Accept").value_or(""));
  // A body that cannot be made as asked for still names its error in JSON.
  if (!form) {
    co_await respond(responder, failure(form.error()));
    co_return;
  }
  const resource::KindSetPtr kinds = kinds_of(desk);
  if (auto response = fixed(desk, request, *form, *kinds)) {
    const std::string type = *form == Form::kDiscovery
                                 ? "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
                             : *form == Form::kDiscoveryV2beta1
                                 ? "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
                                 : std::string(kJson);
    Result<void> sent = co_await responder.respond(response->code, type, std::move(response->body));
    (void)sent;
    co_return;
  }
  const Computed* computed = nullptr;
  const auto call = make_call(request, *form, kinds, computed);
  if (!call) {
    co_await respond(responder, failure(call.error()));
    co_return;
  }
  co_await serve_call(desk, request, *call, computed, responder);
}

}  // namespace tidegate::apiserver
