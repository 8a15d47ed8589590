// A request that cannot go on now: taking a place, waiting with as little memory as it needs, and what is
// told when the wait ends otherwise than with a turn.

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "gateway/walk.h"

namespace tidegate::gateway {
namespace {

// How long a request is willing to wait; more than the configuration grants is not given.
constexpr std::string_view kTimeoutHeader = "x-gateway-queue-timeout";

// Who shares fairly with whom. Source: Gateway API Inference Extension; llm-d.
constexpr std::string_view kTenantHeaders[] = {"x-gateway-inference-fairness-id",
                                               "x-llm-d-inference-fairness-id"};
constexpr std::size_t kTenantBytesMax = 128;

// What a request costs besides its body: its head and our own state.
constexpr std::uint64_t kBytesBeside = 4096;

// Of a request that does not say how much it wants.
constexpr double kOutputTokens = 256;
// Writing a token costs about twice as much as reading one. Source: llm-d, attained service.
constexpr double kOutputWeight = 2;
constexpr double kBytesPerToken = 4;

struct Ending {
  Code code;
  std::string_view reason;
  std::uint32_t retry_after_s;
  std::string_view flags;
  std::string_view text;  // "... default.pool ..." stands behind it
};
constexpr Ending kHoldFull{Code::kUnavailable, "hold-full", 10, "UO",
                           "as many requests as may wait already do so for a first endpoint of "};
constexpr Ending kHoldLate{Code::kUnavailable, "hold-timeout", 10, "UH", "no endpoint came in time for "};
constexpr Ending kQueueFull{Code::kExhausted, "queue-full", 2, "UO",
                            "as many requests as may wait already do so for room in "};
constexpr Ending kQueueLate{Code::kExhausted, "queue-timeout", 2, "UO", "there was no room in time in "};
constexpr Ending kGone{Code::kUnavailable, "no-endpoints", 1, "UH", "there is no more pool "};
constexpr Ending kStopping{Code::kUnavailable, "stopping", 1, "UH",
                           "this gateway stops, and no endpoint has come for "};

tl::unexpected<Error> end_with(Walk& walk, const Ending& ending) {
  walk.flags = ending.flags;
  walk.reason = ending.reason;
  walk.retry_after_s = ending.retry_after_s;
  const std::string why = ending.reason == kHoldLate.reason ? tls_trouble(walk) : std::string();
  return fail(ending.code, std::string(ending.text) + walk.live->service + "; try again later" + why);
}

std::string_view tenant_of(const Walk& walk) {
  if (walk.client) return walk.client->name;
  for (const std::string_view name : kTenantHeaders) {
    if (const auto value = walk.request.head.find(name)) return value->substr(0, kTenantBytesMax);
  }
  return {};
}

double cost_of(const Walk& walk) {
  const double wanted = walk.facts.max_tokens ? static_cast<double>(*walk.facts.max_tokens) : kOutputTokens;
  const double answers = walk.facts.n ? static_cast<double>(*walk.facts.n) : 1;
  const double output = std::clamp(wanted * std::max(answers, 1.0), 1.0, 1e6);
  return static_cast<double>(walk.request.body.size()) / kBytesPerToken + kOutputWeight * output;
}

// Nothing if what it has cost cannot be told.
std::optional<double> used_by(const Walk& walk, const usage::Counted& counted) {
  // An engine's numbers may be any; one answer is not to lock its tenant out.
  constexpr double kMost = 1e7;
  if (counted.known) {
    return std::min(kMost, static_cast<double>(counted.prompt) +
                               kOutputWeight * static_cast<double>(counted.completion));
  }
  const bool refused = walk.status >= 400 && walk.status < 500 && walk.answered;
  if (!walk.sent_on || refused) return 0;
  return std::nullopt;
}

Duration patience_of(const Walk& walk, bool no_endpoint) {
  const Config& config = walk.tools.config;
  Duration most = no_endpoint ? config.hold_timeout : config.queue_timeout;
  if (no_endpoint && walk.pool->hold_timeout > Duration::zero()) most = walk.pool->hold_timeout;
  if (config.total_timeout > Duration::zero()) most = std::min(most, config.total_timeout);
  if (const auto text = walk.request.head.find(kTimeoutHeader)) {
    if (const Result<Duration> own = parse_duration(*text)) most = std::min(most, *own);
  }
  return most;
}

// Whether comments may be sent meanwhile: the client asked for a stream and can read one in chunks.
bool takes_comments(Walk& walk) {
  if (walk.tools.config.hold_keep_alive <= Duration::zero()) return false;
  if (walk.request.head.minor_version == 0 || !dialect::has_model_in_body(walk.api)) return false;
  if (walk.pool->kind == Pool::kInference) return walk.facts.streams();
  const Result<dialect::BodyFacts> facts = walk.tools.bodies.read(walk.request.body);
  return facts && facts->streams();
}

// A buffer that fits, and the views into the old one moved over.
void shrink(Walk& walk) {
  const listener::Session::Moved moved = walk.session.compact();
  const auto move = [&](std::string_view& view) {
    if (view.data() >= moved.from && view.data() + view.size() <= moved.from + moved.size)
      view = {moved.to + (view.data() - moved.from), view.size()};
  };
  move(walk.host);
  move(walk.path);
  move(walk.matched_prefix);
  walk.facts.model = walk.model;
}

net::Task<Wake> wait_out(Walk& walk, Waiter& waiter, bool with_comments) {
  Tools& tools = walk.tools;
  if (with_comments) waiter.tick = tools.loop.now() + tools.config.hold_keep_alive;
  Wake wake = co_await tools.waitroom.wait(waiter);
  while (wake == Wake::kTick) {
    const bool sent = co_await send_comment(walk);
    if (!sent) tools.waitroom.leave(waiter);
    waiter.tick = tools.loop.now() + tools.config.hold_keep_alive;
    wake = co_await tools.waitroom.wait(waiter);
  }
  co_return wake;
}

}  // namespace

void settle_turn(Walk& walk, const usage::Counted& counted) {
  if (!walk.turn) return;
  walk.tools.waitroom.settle(*std::exchange(walk.turn, std::nullopt), used_by(walk, counted));
}

net::Task<Result<void>> wait_for_place(Walk& walk, bool no_endpoint) {
  Tools& tools = walk.tools;
  settle_turn(walk, {});
  const std::shared_ptr<flow::Cell> cell = walk.live->flow;
  const std::uint64_t bytes = walk.request.body.size() + kBytesBeside;
  const std::optional<flow::Cell::Place> place =
      no_endpoint ? cell->hold(bytes, tools.config.hold)
                  : cell->queue(walk.priority(), bytes, tools.config.queue);
  if (!place) co_return end_with(walk, no_endpoint ? kHoldFull : kQueueFull);
  const bool with_comments = no_endpoint && takes_comments(walk);
  const TimePoint since = tools.loop.now();
  flow::Ask ask;
  ask.priority = walk.priority();
  ask.tenant = tenant_of(walk);
  ask.cost = cost_of(walk);
  ask.deadline = std::min(walk.request.received + patience_of(walk, no_endpoint), walk.ends);
  Waiter waiter;
  tools.waitroom.enter(waiter, cell, ask, *place);
  shrink(walk);
  walk.waiter = &waiter;
  const Wake wake = co_await wait_out(walk, waiter, with_comments);
  walk.waiter = nullptr;
  tools.probe.waited(walk.live->service, no_endpoint ? "held" : "queued", tools.loop.now() - since);
  switch (wake) {
    case Wake::kGo:
      walk.turn = Turn{cell.get(), waiter.id};
      walk.endpoint = {};  // it may go with the view it was in
      walk.later_view = std::move(waiter.view);
      walk.live = waiter.pool;
      co_return Result<void>();
    case Wake::kLate:
      co_return end_with(walk, no_endpoint ? kHoldLate : kQueueLate);
    case Wake::kPoolGone:
      co_return end_with(walk, kGone);
    case Wake::kStopping:
      co_return end_with(walk, kStopping);
    case Wake::kLeft:
    case Wake::kNone:
    case Wake::kTick:
      break;
  }
  walk.client_gone = true;
  co_return fail(Code::kCancelled, "the client left");
}

}  // namespace tidegate::gateway
