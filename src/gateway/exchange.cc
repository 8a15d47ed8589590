#include "gateway/exchange.h"

#include <unordered_set>
#include <utility>

#include "base/ascii.h"
#include "gateway/dialect/answer.h"
#include "gateway/dialect/form.h"
#include "gateway/request_head.h"
#include "http/target.h"

namespace tidegate::gateway {
namespace {

using dialect::Api;

constexpr int kMisdirected = 421;

Error not_found(std::string message) { return {Code::kNotFound, "", std::move(message)}; }

// "http://test.com/v1/models" is sent on in origin form; "*" has no path.
Result<void> read_absolute_form(Walk& walk) {
  const http::Head& head = walk.request.head;
  const Result<http::Target> target = http::split_target(head.target);
  if (!target) return tl::unexpected(target.error());
  walk.host = target->authority;
  if (walk.host.empty()) {
    walk.host = head.find(http::Field::kHost).value_or(std::string_view());
    return {};
  }
  const bool has_path = target->path.data() >= head.target.data() &&
                        target->path.data() < head.target.data() + head.target.size();
  walk.path =
      has_path ? head.target.substr(static_cast<std::size_t>(target->path.data() - head.target.data())) : "/";
  return {};
}

// Method, target and host; who asks and under which id.
Result<void> read_head(Walk& walk) {
  const http::Head& head = walk.request.head;
  walk.path = head.target;
  if (head.target.starts_with('/')) {  // the parser has judged the path
    walk.host = head.find(http::Field::kHost).value_or(std::string_view());
  } else if (Result<void> split = read_absolute_form(walk); !split) {
    return split;
  }
  walk.keep_alive = head.keep_alive;
  walk.request_id = request_id_of(head, walk.tools.random);
  walk.trace = trace_of(head, walk.tools.random);
  walk.api = dialect::classify(head.method, walk.path);
  return {};
}

// Once per request. Errors: what is wrong with the body.
Result<void> read_body(Walk& walk) {
  if (walk.facts_known) return {};
  const auto type = walk.request.head.find(http::Field::kContentType);
  walk.is_form = type && dialect::is_form(*type);
  Result<dialect::BodyFacts> facts =
      walk.is_form ? dialect::read_form(*type, walk.request.body) : walk.tools.bodies.read(walk.request.body);
  if (!facts) return tl::unexpected(facts.error());
  walk.facts = *facts;
  walk.model = facts->model;
  walk.facts_known = true;
  return {};
}

// A body that cannot be read names no model; if it comes to an engine, that is said later.
route::Matched match_by_model(Walk& walk, const Listener& listener) {
  const http::Head& head = walk.request.head;
  const bool read = read_body(walk).has_value();
  const std::string_view model = read ? std::string_view(walk.model) : std::string_view();
  return listener.routes.match({walk.host, head.method, walk.path, &head.headers, model,
                                walk.view->snapshot->base_models.base_of(model)});
}

void set_deadlines(Walk& walk, const route::Rule& rule) {
  const Duration whole = rule.request_timeout.value_or(walk.tools.config.total_timeout);
  if (whole > Duration::zero()) walk.ends = walk.request.received + whole;
  walk.attempt_timeout = rule.attempt_timeout.value_or(Duration::zero());
}

// What the endpoint will be asked for is judged anew. True if the route names that path: a prefix that is
// taken away names nothing.
bool rewrite_path(Walk& walk, bool names_path) {
  const route::PathEdit& edit = walk.filters->rewrite->path;
  if (edit.kind == route::PathEdit::kKeep) return names_path;
  walk.edited_path = route::edited(edit, walk.path, walk.matched_prefix);
  walk.path = walk.edited_path;
  walk.api = dialect::classify(walk.request.head.method, walk.path);
  return edit.kind == route::PathEdit::kFull || edit.value.size() > 1;
}

// Paths that only a route which names them opens. What is behind an HTTPRoute's Service may be no engine at
// all, so there the engines' administration alone is closed.
bool is_closed(const Walk& walk, const route::Destination* destination) {
  if (destination && destination->takes_any_path) return walk.api == Api::kAdmin;
  return dialect::needs_named_route(walk.api);
}

// Where names differ in whose certificates they want to see, a request for one must not come over a
// connection that was opened for another.
bool is_misdirected(const Walk& walk, std::uint16_t port) {
  const net::TlsFacts* facts = walk.session.stream().tls();
  if (!facts) return false;
  const Listener* listener = walk.view->snapshot->listener(port);
  return listener && listener->tls && listener->tls->strict_names &&
         !ascii::equals_ignoring_case(facts->server_name, route::host_of(walk.host));
}

net::Task<bool> refuse_misdirected(Walk& walk) {
  walk.reason = "misdirected";
  const std::string body = dialect::error_body(
      invalid("host", "is not the name that this connection asked for; open another connection for it")
          .value());
  OwnAnswer answer;
  answer.status = kMisdirected;
  answer.body = body;
  co_return co_await respond(walk, answer);
}

// Which route, and which of its pools.
Result<void> match(Walk& walk, std::uint16_t port) {
  const http::Head& head = walk.request.head;
  const Listener* listener = walk.view->snapshot->listener(port);
  route::Matched matched;
  if (listener && listener->routes.asks_for_model() && !walk.request.body.empty()) {
    matched = match_by_model(walk, *listener);
  } else if (listener) {
    matched = listener->routes.match({walk.host, head.method, walk.path, &head.headers});
  }
  if (!matched) {
    walk.flags = "NR";
    walk.reason = "no-route";
    return tl::unexpected(
        not_found("no route matches host \"" + std::string(walk.host.substr(0, 253)) + "\" and this path"));
  }
  walk.route = matched.route;
  walk.matched_prefix = matched.prefix;
  set_deadlines(walk, *matched.rule);
  const route::Destination* destination = route::draw(*matched.rule, walk.tools.random.next());
  walk.filters = destination ? destination->filters.get() : matched.rule->filters.get();
  if (walk.redirects()) return {};
  walk.pool = destination ? walk.view->snapshot->pool(destination->target) : nullptr;
  bool names_path = matched.names_path;
  if (walk.filters && walk.filters->rewrite) names_path = rewrite_path(walk, names_path);
  if (is_closed(walk, destination) && !names_path) {
    walk.flags = "NR";
    walk.reason = "path-not-routed";
    walk.pool = nullptr;
    return tl::unexpected(not_found("this path is not open through the gateway; a route must name it"));
  }
  if (!walk.pool) {
    walk.flags = "NR";
    walk.reason = "broken-backend";
    return fail(Code::kInternal, "route " + matched.route->name + " has no valid backend; see its status");
  }
  walk.live = &walk.view->pools[destination->target];
  return {};
}

// A priority that the request names beats its model's criticality.
void take_objective(Walk& walk) {
  for (const std::string_view header : {"x-gateway-inference-objective", "x-llm-d-inference-objective"}) {
    const auto name = walk.request.head.find(header);
    if (!name) continue;
    const auto found = walk.pool->objectives.find(*name);
    walk.objective = found == walk.pool->objectives.end() ? 0 : found->second;
    walk.criticality = *walk.objective < 0 ? pick::Criticality::kSheddable : pick::Criticality::kStandard;
    return;
  }
}

// Which model is asked for, and which one serves it.
Result<void> resolve(Walk& walk) {
  if (Result<void> read = read_body(walk); !read) return read;
  if (walk.model.empty()) {
    if (walk.api == Api::kTokenize) return {};  // the engine's first base model
    walk.reason = "no-model";
    return invalid("model", "the request names no model; GET /v1/models lists those that can be asked for");
  }
  const Pool& pool = *walk.pool;
  std::uint64_t point = walk.tools.random.next();
  if (!pool.sticky_header.empty()) {
    const auto value = walk.request.head.find(pool.sticky_header);
    if (value && !value->empty()) point = rewrite::sticky_point(*value, walk.model);
  }
  const rewrite::Resolution resolution = pool.models.resolve(walk.model, point, walk.live->served.get());
  if (resolution.entry) walk.criticality = resolution.entry->criticality;
  if (!pool.objectives.empty()) take_objective(walk);
  switch (resolution.kind) {
    case rewrite::Resolution::kTarget:
      walk.target = resolution.target;
      return {};
    case rewrite::Resolution::kPass:
      return {};
    case rewrite::Resolution::kReserved:
    case rewrite::Resolution::kUnknown:
      break;
  }
  walk.reason = "unknown-model";
  Error error = rewrite::error_of(resolution, walk.model);
  walk.model.clear();  // no client's text becomes a label
  return tl::unexpected(std::move(error));
}

OwnAnswer json_answer(std::string_view body) {
  OwnAnswer answer;
  answer.body = body;
  return answer;
}

// The InferencePools whose models a client can ask for here: those of every rule of the host that lets this
// path in, as the model decides which rule it will be.
std::vector<std::uint32_t> pools_here(const Walk& walk, std::uint16_t port) {
  std::vector<std::uint32_t> pools;
  const Listener* listener = walk.view->snapshot->listener(port);
  if (!listener) return pools;
  pools = listener->routes.targets(walk.host, walk.request.head.target);
  std::erase_if(pools, [&](std::uint32_t target) {
    const Pool* pool = walk.view->snapshot->pool(target);
    return !pool || pool->kind != Pool::kInference;
  });
  return pools;
}

// A key opens to its client the models that it may ask for.
bool may_see(const Walk& walk, std::uint32_t target, std::string_view model) {
  const Pool& pool = *walk.view->snapshot->pool(target);
  if (!pool.keys) return true;
  const guard::Client* client = client_of(walk, pool);
  return client && client->models.allows(model);
}

// Of several pools: each name once, the first pool's.
std::string joined_models(const Walk& walk, const std::vector<std::uint32_t>& pools) {
  std::vector<dialect::ModelCard> cards;
  std::unordered_set<std::string_view> names;
  for (const std::uint32_t pool : pools) {
    for (const dialect::ServedModel& model : *walk.view->pools[pool].models) {
      if (!may_see(walk, pool, model.id)) continue;
      if (names.insert(model.id).second) cards.push_back(dialect::card_of(model));
    }
  }
  return dialect::models_body(cards);
}

net::Task<bool> list_models(Walk& walk, const std::vector<std::uint32_t>& pools) {
  constexpr std::string_view kList = "/v1/models";
  const std::string_view path = walk.path.substr(0, walk.path.find('?'));
  if (path.size() <= kList.size() + 1) {
    const std::string body = joined_models(walk, pools);
    co_return co_await respond(walk, json_answer(body));
  }
  const Result<std::string> name = http::percent_decode(path.substr(kList.size() + 1));
  for (const std::uint32_t pool : pools) {
    for (const dialect::ServedModel& model : *walk.view->pools[pool].models) {
      if (!name || model.id != *name || !may_see(walk, pool, model.id)) continue;
      const std::string body = dialect::model_body(dialect::card_of(model));
      co_return co_await respond(walk, json_answer(body));
    }
  }
  const Error unknown{Code::kNotFound, "model", "the model `" + name.value_or("") + "` does not exist"};
  co_return co_await respond_error(walk, unknown);
}

// The lists of those pools that the client may look into.
net::Task<bool> show_models(Walk& walk, std::vector<std::uint32_t> pools) {
  walk.flags = walk.reason = {};
  const Pool* const first = walk.view->snapshot->pool(pools.front());
  std::erase_if(pools, [&](std::uint32_t target) {
    const Pool& pool = *walk.view->snapshot->pool(target);
    return pool.keys && !client_of(walk, pool);
  });
  if (pools.empty()) {
    walk.pool = first;
    const Result<void> known = authenticate(walk);
    co_return co_await respond_error(walk, known.error());
  }
  co_return co_await list_models(walk, pools);
}

void report(Walk& walk, TimePoint now) {
  const bool cut = walk.client_gone || walk.flags == "UC" || walk.flags == "UT";
  const usage::Counted counted = walk.meter.finish(cut ? usage::End::kAborted : usage::End::kDone, now);
  if (walk.client_gone) walk.flags = "DC";
  charge(walk, counted);
  settle_turn(walk, counted);
  Report told;
  if (walk.live) told.service = walk.live->service;
  told.model = walk.target_model();
  told.status = walk.status;
  told.flags = walk.flags;
  told.streamed = walk.streamed;
  told.counted = counted;
  told.counts_tokens = walk.answered && walk.status == 200 && walk.pool &&
                       walk.pool->kind == Pool::kInference && dialect::has_model_in_body(walk.api) &&
                       walk.api != Api::kTokenize;
  if (walk.sent_on) told.overhead = *walk.sent_on - walk.request.received;
  walk.tools.probe.request(told);
  if (!walk.reason.empty()) walk.tools.probe.rejected(walk.reason);
  if (walk.tools.access_log) write_access_log(walk, counted, now);
}

net::Task<bool> redirect(Walk& walk, std::uint16_t port) {
  const route::Redirect& redirect = *walk.filters->redirect;
  const bool secure = walk.session.stream().tls() != nullptr;
  const route::Origin origin{route::host_of(walk.host), port, secure};
  const std::string location = route::location(redirect, origin, walk.path, walk.matched_prefix);
  OwnAnswer answer;
  answer.status = redirect.status;
  answer.location = location;
  co_return co_await respond(walk, answer);
}

net::Task<bool> serve(Walk& walk, std::uint16_t port) {
  if (Result<void> read = read_head(walk); !read) co_return co_await respond_error(walk, read.error());
  if (is_misdirected(walk, port)) co_return co_await refuse_misdirected(walk);
  const Result<void> matched = match(walk, port);
  if (walk.redirects()) co_return co_await redirect(walk, port);
  if (walk.api == Api::kModels && (!matched || walk.pool->kind == Pool::kInference)) {
    const std::vector<std::uint32_t> pools = pools_here(walk, port);
    if (!pools.empty()) co_return co_await show_models(walk, pools);
  }
  if (!matched) co_return co_await respond_error(walk, matched.error());
  if (walk.pool->keys) {
    if (Result<void> known = authenticate(walk); !known)
      co_return co_await respond_error(walk, known.error());
  }
  const bool inference = walk.pool->kind == Pool::kInference;
  if (inference && dialect::has_model_in_body(walk.api)) {
    if (Result<void> resolved = resolve(walk); !resolved)
      co_return co_await respond_error(walk, resolved.error());
  }
  if (walk.client) {
    if (Result<void> may = authorize(walk); !may)
      co_return co_await respond_error(walk, may.error(), walk.retry_after_s);
  }
  if (walk.filters && !walk.filters->mirrors.empty()) send_mirrors(walk);
  Answer answer;
  const Result<void> answered = co_await forward(walk, answer);
  if (!answered) co_return co_await respond_error(walk, answered.error(), walk.retry_after_s);
  co_return co_await relay(walk, answer);
}

}  // namespace

net::Task<bool> exchange(Tools& tools, std::uint16_t port, std::shared_ptr<const View> view,
                         listener::Session& session, const listener::Request& request) {
  Walk walk(tools, session, request, std::move(view));
  tools.probe.active(+1);
  const auto client_left = [&walk] {
    walk.client_gone = true;
    if (walk.waiting_on) walk.waiting_on->abort();
    if (walk.waiter) walk.tools.waitroom.leave(*walk.waiter);
  };
  bool again = false;
  session.on_cut(client_left);
  if (session.stream().on_hangup(client_left)) {
    again = co_await serve(walk, port);
  } else {
    walk.client_gone = true;  // nobody is left to answer
  }
  again = again && !walk.client_gone && session.stream().on_hangup(nullptr);
  report(walk, std::chrono::steady_clock::now());
  tools.probe.active(-1);
  co_return again;
}

}  // namespace tidegate::gateway
