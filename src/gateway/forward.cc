// Admission, ranking, sending, and trying again.
//
// A request goes to the best endpoint that lists its model. If that one refuses the connection, breaks it
// before answering, says 503, or that it does not have the model, the request goes once (Config::retries) to
// the next best. A kept connection that turns out to be
// closed is no failure of the endpoint and is replaced by a new one. An engine that refuses members we added
// is asked again without them.

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/log.h"
#include "gateway/dialect/edit.h"
#include "gateway/learning.h"
#include "gateway/request_head.h"
#include "gateway/session_affinity.h"
#include "gateway/walk.h"

namespace tidegate::gateway {
namespace {

// Of a 400, when it may be about what we added; and of a 503 that another endpoint will make good.
constexpr std::size_t kRefusalBytesMax = 64 * 1024;
constexpr std::size_t kTriesMax = 8;

// A prompt is counted up to here.
constexpr std::size_t kPromptBytesMax = std::size_t{1} << 30;

// Where the request has been already.
struct Tried {
  std::array<const fleet::Live*, kTriesMax> who{};
  std::size_t count = 0;
  bool contains(const fleet::Live* live) const {
    const std::span seen(who.data(), count);
    return std::ranges::find(seen, live) != seen.end();
  }
  void add(const fleet::Live* live) {
    if (count < who.size()) who[count++] = live;
  }
};

Error no_endpoint(Walk& walk) {
  const std::uint32_t most = walk.live->picking.requests_max;
  const auto is_full = [most](const pick::EndpointFacts& facts) { return facts.in_flight >= most; };
  if (most > 0 && std::ranges::any_of(walk.tools.picker.facts(), is_full)) {
    walk.flags = "UO";
    walk.reason = "endpoints-full";
    walk.retry_after_s = 1;
    return {Code::kExhausted, "",
            "every endpoint of " + walk.live->service + " holds as many requests as it may"};
  }
  walk.flags = "UH";
  walk.reason = "no-endpoints";
  walk.retry_after_s = 1;
  return {Code::kUnavailable, "",
          "no endpoint of pool " + walk.live->service + " is available" + tls_trouble(walk)};
}

// Asks the index how much of the prompt each endpoint holds. False if that is not worth it.
bool look_up_prompt(Walk& walk) {
  const pick::Settings& settings = walk.live->picking;
  if (!dialect::has_cached_prompt(walk.api) || settings.weights.prefix == 0) return false;
  const std::string_view prompt = walk.facts.prompt.of(walk.request.body);
  if (prompt.empty() || prompt.size() < settings.prefix_prompt_bytes_min) return false;
  std::uint64_t seed = pick::hash_bytes(walk.target_model(), walk.live->prefix_seed);
  if (!walk.facts.tools.empty()) seed = pick::hash_bytes(walk.facts.tools.of(walk.request.body), seed);
  if (!walk.facts.cache_salt.empty())
    seed = pick::hash_bytes(walk.facts.cache_salt.of(walk.request.body), seed);
  walk.tools.prompts.ask(seed, prompt);
  if (walk.live->told) walk.tools.prompts.ask_engines(walk.tools.loop.now());
  return true;
}

// What is known of the prompt while an endpoint is chosen.
struct Prompt {
  bool looked_up = false;  // in the prefix index
  std::uint32_t bytes = 0;
};

// By the picker's facts as they are. Null if there is none.
fleet::Live* best(Walk& walk, const Prompt& prompt) {
  const pick::PickRequest request{walk.criticality, prompt.bytes, &walk.live->picking};
  const pick::Ranking ranking = walk.tools.picker.rank(request, walk.tools.random, 1);
  return ranking.empty() ? nullptr : walk.live->endpoints[ranking.at(0)].get();
}

// The best endpoint that has not been tried, of those that may be asked for the model `listed`. Null if there
// is none.
fleet::Live* choose(Walk& walk, const Tried& tried, pick::AdapterId adapter, std::string_view listed,
                    Prompt& prompt) {
  Tools& tools = walk.tools;
  const TimePoint now = tools.loop.now();
  const std::vector<std::shared_ptr<fleet::Live>>& endpoints = walk.live->endpoints;
  prompt.looked_up = look_up_prompt(walk);
  const SessionHome session(walk);
  const Listing::Lacking lacks_model = walk.live->lacking(listed);
  std::vector<pick::EndpointFacts>& facts = tools.picker.facts();
  facts.resize(endpoints.size());
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    endpoints[i]->observe(adapter, now, facts[i]);
    facts[i].prefix_bytes = prompt.looked_up ? tools.prompts.held_bytes(endpoints[i]->prefix_id()) : 0;
    facts[i].session = session.any() && session.is(*endpoints[i]);
    facts[i].tried = (tried.count > 0 && tried.contains(endpoints[i].get())) || lacks_model[i];
  }
  prompt.bytes = static_cast<std::uint32_t>(
      dialect::has_cached_prompt(walk.api) ? std::min<std::size_t>(walk.facts.prompt.size(), kPromptBytesMax)
                                           : 0);
  return best(walk, prompt);
}

// Of the endpoints that choose() has just looked at, the best that has room. Null if none has.
fleet::Live* choose_with_room(Walk& walk, const Prompt& prompt) {
  Tools& tools = walk.tools;
  const std::vector<std::shared_ptr<fleet::Live>>& endpoints = walk.live->endpoints;
  std::vector<pick::EndpointFacts>& facts = tools.picker.facts();
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    if (endpoints[i]->room(facts[i].in_flight, tools.loop.now(), tools.config.admit.stale) == 0)
      facts[i].tried = true;
  }
  return best(walk, prompt);
}

// The request goes there: index and session take note.
void settle(Walk& walk, const Prompt& prompt, fleet::Live& live) {
  pick::PromptLookup& prompts = walk.tools.prompts;
  const std::uint32_t held = prompt.looked_up ? prompts.held_bytes(live.prefix_id()) : 0;
  walk.prefill_bytes = prompt.bytes - std::min(held, prompt.bytes);
  if (prompt.looked_up) {
    walk.tools.probe.prefix(walk.live->service, prompt.bytes, held, prompts.is_told(live.prefix_id()));
    prompts.sent_to(live.prefix_id());
    learn_prompt(walk, live);
  }
  SessionHome(walk).sent_to(live);
}

enum class Entry { kGo, kWait, kWaitForEndpoint };

tl::unexpected<Error> refuse(Walk& walk, const admit::Decision& decision) {
  walk.flags = decision.reason == admit::Reason::kNoEndpoints ? "UH" : "UO";
  walk.reason = admit::name_of(decision.reason);
  walk.retry_after_s = decision.retry_after_s;
  Error error = admit::error_of(decision, walk.live->service);
  if (decision.reason == admit::Reason::kNoEndpoints) error.message += tls_trouble(walk);
  return tl::unexpected(std::move(error));
}

// The best endpoint is full, or others wait already.
Result<Entry> admit_when_short(Walk& walk, const Prompt& prompt, fleet::Live*& live) {
  const std::uint32_t waiting = walk.live->flow->waiting();
  if (waiting == 0 && walk.tools.config.queue.requests == 0) return Entry::kGo;
  fleet::Live* const with_room = choose_with_room(walk, prompt);
  const std::optional<std::int32_t> first = walk.live->flow->top();
  if (with_room && (waiting == 0 || !first || walk.priority() > *first)) {
    live = with_room;
    return Entry::kGo;
  }
  if (walk.priority() < 0) return refuse(walk, {admit::Reason::kSaturated, 1});
  return Entry::kWait;
}

// Uses the facts that choose() has just gathered; may choose another endpoint.
Result<Entry> admit(Walk& walk, const Prompt& prompt, fleet::Live*& live) {
  const admit::Limits& limits = walk.tools.config.admit;
  const admit::PoolLoad load = admit::load_of(walk.tools.picker.facts(), limits);
  const admit::Decision decision = admit::admit(load, walk.criticality, limits);
  if (decision.reason == admit::Reason::kNoEndpoints && walk.pool->holds) return Entry::kWaitForEndpoint;
  if (!decision.accepted()) return refuse(walk, decision);
  if (!live) return Entry::kGo;  // every one is left out for a reason of its own, which is told
  const bool has_room = live->gate().has_room(live->cell().in_flight());
  if (has_room && walk.live->flow->waiting() == 0) return Entry::kGo;
  return admit_when_short(walk, prompt, live);
}

// The head and the edited body as one list of pieces.
struct Outgoing {
  explicit Outgoing(Scratches& scratches) : head(scratches) {}

  Scratch head;
  dialect::Pieces body;
  std::array<iovec, dialect::Pieces::kMax + 1> pieces;

  // sendmsg changes the pieces, so each sending starts from here.
  std::size_t arrange() {
    pieces[0] = {head->data(), head->size()};
    std::size_t count = 1;
    for (const std::string_view part : body.view())
      pieces[count++] = {const_cast<char*>(part.data()), part.size()};
    return count;
  }
};

// What the client itself says of adapters stays beside a base model, unless its key is for some models only.
void choose_adapter(const Walk& walk, const dialect::AdapterWords& words, dialect::EditList& edits) {
  const dialect::AdapterWords::Words* const found = words.find(walk.target_model());
  if (!found || walk.is_form) return;
  const bool by_path = words.field() == dialect::AdapterField::kLoraPath;
  const bool says_itself = !(by_path ? walk.facts.lora_path : walk.facts.lora).empty();
  const bool may_say = !walk.client || walk.client->models.all();
  if (!found->is_adapter && says_itself && may_say) return;
  if (!found->value.empty()) return edits.choose_adapter(walk.facts, words.field(), found->value);
  if (says_itself) edits.choose_adapter(walk.facts, words.field(), "null");
}

dialect::Injected prepare(Walk& walk, const fleet::Live& live, const dialect::EngineTraits& traits,
                          Outgoing& out) {
  dialect::EditList edits;
  dialect::Injected injected;
  if (const dialect::AdapterWords* words = walk.live->words_of(live); words && walk.facts_known)
    choose_adapter(walk, *words, edits);
  if (walk.target) edits.replace_model(walk.facts, walk.is_form ? walk.target->model : walk.target->token);
  if (walk.facts.streams() && dialect::has_stream_options(walk.api)) {
    edits.ask_for_usage(walk.facts, traits);
    injected = dialect::injected_by(walk.facts, traits);
  }
  out.body = edits.apply(walk.request.body);
  out.head->clear();
  append_request_head(*out.head, walk, out.body.total);
  return injected;
}

TimePoint answer_deadline(const Walk& walk) { return walk.deadline(walk.tools.config.first_byte_timeout); }

// Sends on one connection and reads the head of the answer.
net::Task<Result<const http::Head*>> ask(Walk& walk, upstream::Connection& connection, Outgoing& out) {
  walk.waiting_on = &connection;
  connection.set_deadline(answer_deadline(walk));
  const std::size_t count = out.arrange();
  if (!walk.sent_on) walk.sent_on = std::chrono::steady_clock::now();
  const Result<void> sent =
      co_await connection.send(out.pieces.data(), count, walk.request.head.method == "HEAD");
  // An endpoint may answer and close before it has read everything: what it said counts, not that we could
  // not finish.
  if (!sent && sent.error().code != Code::kUnavailable) {
    walk.waiting_on = nullptr;
    co_return tl::unexpected(sent.error());
  }
  Result<const http::Head*> head = co_await connection.read_head();
  walk.waiting_on = nullptr;
  if (head) walk.answered = walk.tools.loop.now();
  co_return head;
}

// Reads a short answer whole. False if it broke off or is long; then it stays where it is.
net::Task<bool> read_whole(Answer& answer) {
  std::vector<std::string_view> pieces;
  while (answer.read_already.size() <= kRefusalBytesMax) {
    pieces.clear();
    const Result<bool> done = co_await answer.connection->read_body(pieces);
    for (const std::string_view piece : pieces) answer.read_already += piece;
    if (!done) co_return false;
    if (*done) {
      answer.body_complete = true;
      co_return true;
    }
  }
  co_return false;
}

// Whether this may be a refusal of the model, so that its text is worth reading.
bool may_lack_model(const Walk& walk, const fleet::Live& live, int status) {
  if (walk.pool->kind != Pool::kInference || walk.target_model().empty()) return false;
  if (status != 400) return status == 404;
  const dialect::AdapterWords* const words = walk.live->words_of(live);
  const auto* const found = words ? words->find(walk.target_model()) : nullptr;
  return found && found->is_adapter;
}

// Of an answer that another endpoint may make good: what is told if there is none.
Error of_refusal(const Walk& walk, const fleet::Live& live, const Answer& answer) {
  if (answer.lacks_model) {
    return {Code::kNotFound, "model",
            "the model `" + std::string(walk.target_model()) + "` is not loaded where it was listed"};
  }
  return {Code::kUnavailable, "", "endpoint " + live.address_text() + " answered 503"};
}

// One endpoint, until it answers or fails.
net::Task<Result<void>> attempt(Walk& walk, fleet::Live& live, Answer& answer) {
  Tools& tools = walk.tools;
  answer.live = &live;
  if (walk.attempt_timeout > Duration::zero()) walk.attempt_ends = tools.loop.now() + walk.attempt_timeout;
  Outgoing out(tools.scratches);
  bool fresh_only = false;
  while (true) {
    const dialect::EngineTraits traits = live.traits().load();
    answer.injected = prepare(walk, live, traits, out);
    answer.dispatch = Dispatch(live, tools.loop.now(), walk.prefill_bytes);
    answer.connection = fresh_only ? nullptr : tools.upstream.take(live.address(), live.secured());
    if (!answer.connection) {
      Result<std::unique_ptr<upstream::Connection>> made =
          co_await tools.upstream.connect(live.address(), answer_deadline(walk), live.secured());
      if (!made) co_return tl::unexpected(made.error());
      answer.connection = *std::move(made);
      if (walk.client_gone) co_return fail(Code::kCancelled, "the client left");
    }
    const Result<const http::Head*> head = co_await ask(walk, *answer.connection, out);
    if (!head) {
      const bool stale = answer.connection->used_before() && !answer.connection->answered();
      if (stale && head.error().code == Code::kUnavailable && !fresh_only && !walk.client_gone) {
        fresh_only = true;
        walk.sent_on.reset();  // if there is no new connection, nothing was sent
        continue;
      }
      co_return tl::unexpected(head.error());
    }
    answer.head = *head;
    const int status = answer.head->status;
    const bool may_lack = may_lack_model(walk, live, status);
    if (!may_lack && (status != 400 || !answer.injected.any())) co_return Result<void>();
    if (!co_await read_whole(answer)) co_return Result<void>();
    answer.lacks_model = may_lack && dialect::says_model_missing(status, answer.read_already);
    const dialect::EngineTraits learned =
        dialect::learn_from_refusal(traits, answer.injected, status, answer.read_already);
    if (learned == traits) co_return Result<void>();
    live.traits().shrink(learned);
    tools.upstream.give_back(std::move(answer.connection));
    answer.read_already.clear();
    answer.body_complete = false;
  }
}

std::string_view flags_of(const Error& error, bool connected) {
  switch (error.code) {
    case Code::kDeadline:
      return connected ? "UT" : "UF";
    case Code::kCancelled:
      return "DC";
    default:
      return connected ? "UC" : "UF";
  }
}

// It is out until a scrape or, after a pause, another request finds it well.
void note_failure(fleet::Live& live, const Error& error, TimePoint now) {
  live.failed(now);
  if (live.note_trouble(error.message))
    log::warning("gateway", "endpoint fails requests", {{"endpoint", live.key()}, {"why", error.message}});
}

// It lacks what it listed, or nobody lists it; then others may have got it lately.
void note_missing(const PoolView& pool, fleet::Live& live, pick::AdapterId adapter) {
  live.cell().residency().forget(adapter);
  for (const std::shared_ptr<fleet::Live>& one : pool.endpoints) one->doubt_models();
}

// 501 is about the request, not the engine.
bool is_failure(int status) { return status >= 500 && status != 501; }

}  // namespace

void note_outcome(fleet::Live& live, bool succeeded, TimePoint now) {
  if (succeeded ? !live.request_succeeded(now) : !live.request_failed(now)) return;
  if (succeeded) {
    log::info("gateway", "endpoint takes requests again", {{"endpoint", live.key()}});
  } else {
    log::warning("gateway", "endpoint is left for a while: its answers are failures",
                 {{"endpoint", live.key()}});
  }
}

std::string tls_trouble(const Walk& walk) {
  if (!walk.pool->tls) return {};
  if (!walk.pool->tls->problem.empty()) return ": " + walk.pool->tls->policy + ": " + walk.pool->tls->problem;
  for (const std::shared_ptr<fleet::Live>& live : walk.live->endpoints) {
    if (const std::string why = live->trouble(); !why.empty()) return ": " + why;
  }
  return {};
}

net::Task<Result<void>> forward(Walk& walk, Answer& answer) {
  Tools& tools = walk.tools;
  const std::string_view model = walk.target_model();
  const bool needs_slot = !model.empty() && !walk.live->bases.contains(model);
  const pick::AdapterId adapter = needs_slot ? pick::adapter_id(model) : pick::kNoAdapter;
  Tried tried;
  bool waited = false;
  bool learns = tools.config.kv_tokenize_wait > Duration::zero();
  bool lists_are_late = false;  // an engine lacks what it had listed
  bool held_back = false;       // nothing was sent, and the pool's next endpoint may be waited for
  Error last;
  while (true) {
    Prompt prompt;
    fleet::Live* live = choose(walk, tried, adapter, model, prompt);
    // Where an adapter has moved, whoever has it now does not list it yet.
    if (!live && lists_are_late) live = choose(walk, tried, adapter, {}, prompt);
    if (tried.count == 0 && (!waited || !live)) {
      const Result<Entry> entry = admit(walk, prompt, live);
      if (!entry) co_return tl::unexpected(entry.error());
      if (*entry != Entry::kGo) {
        const Result<void> turn = co_await wait_for_place(walk, *entry == Entry::kWaitForEndpoint);
        if (!turn) co_return turn;
        waited = true;
        continue;
      }
    } else if (tried.count == 0) {
      if (fleet::Live* const with_room = choose_with_room(walk, prompt)) live = with_room;
    }
    if (!live) {
      if (!held_back) co_return tl::unexpected(tried.count == 0 ? no_endpoint(walk) : last);
      tried = {};  // what was left has gone away while it was asked: wait for the next
      waited = held_back = false;
      continue;
    }
    if (learns && prompt.looked_up && tried.count == 0) {
      learns = false;
      const bool paused = co_await learn_first(walk, *live);
      if (walk.client_gone) co_return fail(Code::kCancelled, "the client left");
      if (paused) continue;
    }
    settle(walk, prompt, *live);
    walk.endpoint = live->address_text();
    walk.flags = walk.reason = {};
    if (adapter != pick::kNoAdapter) live->cell().residency().touch(adapter, tools.loop.now());
    tools.probe.pick(live->key(), walk.live->service, live->address_text());
    const Result<void> answered = co_await attempt(walk, *live, answer);
    if (!answered) answer = Answer();  // it counts on that endpoint no more
    if (walk.client_gone) co_return fail(Code::kCancelled, "the client left");
    note_outcome(*live, answered && !is_failure(answer.head->status), tools.loop.now());
    tried.add(live);
    const std::uint32_t endpoints_max = walk.live->picking.endpoints_max;
    const std::uint32_t retries = endpoints_max > 0 ? endpoints_max - 1 : tools.config.retries;
    const bool may_retry = walk.retries < retries && tried.count < tried.who.size();
    if (answered) {
      if (answer.lacks_model) note_missing(*walk.live, *live, adapter);
      lists_are_late = lists_are_late || answer.lacks_model;
      const bool elsewhere = (answer.head->status == 503 || answer.lacks_model) && may_retry &&
                             tried.count < walk.live->endpoints.size();
      if (!elsewhere) {
        live->answered();
        co_return Result<void>();
      }
      last = of_refusal(walk, *live, answer);
      tools.probe.retry(answer.lacks_model ? "not-loaded" : "503");
      answer = Answer();
    } else {
      const bool connected = walk.sent_on.has_value();
      walk.flags = flags_of(answered.error(), connected);
      last = answered.error();
      if (last.code == Code::kDeadline && connected) {
        walk.reason = "upstream-timeout";
        co_return tl::unexpected(last);  // it may be at work on it still
      }
      note_failure(*live, last, tools.loop.now());
      walk.reason = "upstream-failed";
      if (last.code == Code::kDeadline) last.code = Code::kUnavailable;
      held_back = !connected && walk.pool->holds;
      if (!may_retry && !held_back) co_return tl::unexpected(last);
      tools.probe.retry(connected ? "reset" : "connect-failure");
    }
    ++walk.retries;
    walk.sent_on.reset();
  }
}

}  // namespace tidegate::gateway
