// Who asks, whether they may, and what it costs them: the walk's way to gateway/guard.

#include <string>

#include "base/ascii.h"
#include "gateway/walk.h"

namespace tidegate::gateway {
namespace {

// The key as OpenAI's clients send it, Anthropic's, or Azure's.
std::string_view presented_key(const http::Head& head) {
  if (const auto value = head.find("authorization")) {
    constexpr std::string_view kBearer = "bearer ";
    if (value->size() > kBearer.size() &&
        ascii::equals_ignoring_case(value->substr(0, kBearer.size()), kBearer))
      return ascii::trim(value->substr(kBearer.size()));
  }
  for (const std::string_view name : {"x-api-key", "api-key"}) {
    if (const auto value = head.find(name)) return ascii::trim(*value);
  }
  return {};
}

std::uint32_t whole_seconds(Duration time) {
  return static_cast<std::uint32_t>(
      std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(time).count()));
}

// "37s", "6m0s", "23h59m2s". Source: OpenAI's x-ratelimit-reset headers.
std::string reset_text(Duration time) {
  const std::uint32_t all = whole_seconds(time);
  std::string text;
  if (all >= 3600) text += std::to_string(all / 3600) + "h";
  if (all >= 60) text += std::to_string(all / 60 % 60) + "m";
  return text + std::to_string(all % 60) + "s";
}

void append_standing(std::string& out, const guard::Standing& standing, std::string_view what) {
  if (standing.limit == 0) return;
  const auto field = [&](std::string_view name, const std::string& value) {
    out.append("x-ratelimit-").append(name).append("-").append(what).append(": ");
    out.append(value).append("\r\n");
  };
  field("limit", std::to_string(standing.limit));
  field("remaining", std::to_string(standing.remaining));
  field("reset", reset_text(standing.resets_in));
}

// A Service's bodies are read for this alone.
Result<void> check_model(Walk& walk) {
  if (walk.client->models.all() || !dialect::has_model_in_body(walk.api)) return {};
  std::string model = walk.model;
  if (walk.pool->kind != Pool::kInference) {
    const Result<dialect::BodyFacts> facts = walk.tools.bodies.read(walk.request.body);
    if (!facts) return tl::unexpected(facts.error());
    model = facts->model;
  }
  if (walk.client->models.allows(model)) return {};
  walk.flags = "UAEX";
  walk.reason = "model-not-allowed";
  return fail(Code::kForbidden, "this API key may not ask for the model `" + model.substr(0, 256) + "`",
              "model");
}

Result<void> check_limits(Walk& walk) {
  const guard::Limits& limits = walk.client->limits;
  if (!limits.any() || !dialect::has_model_in_body(walk.api)) return {};
  const WallTime now = walk.tools.clock.wall();
  // While nobody has said what is served, a name may be any client's text, which is not kept.
  const bool known = walk.target || (walk.live->served && !walk.model.empty());
  walk.account =
      walk.tools.books.account(*walk.client, known ? std::string_view(walk.model) : std::string_view());
  const guard::Account::Verdict verdict = walk.account->enter(limits, now);
  if (verdict == guard::Account::Verdict::kGo) return {};
  const bool requests = verdict == guard::Account::Verdict::kRequests;
  const guard::Standing standing =
      requests ? walk.account->requests(limits, now) : walk.account->tokens(limits, now);
  walk.flags = "RL";
  walk.reason = requests                                           ? "request-limit"
                : verdict == guard::Account::Verdict::kTokensOfDay ? "token-limit-of-day"
                                                                   : "token-limit";
  walk.retry_after_s = whole_seconds(standing.resets_in);
  return fail(Code::kExhausted, std::string("this API key has had its ") + std::to_string(standing.limit) +
                                    (requests ? " requests" : " tokens") + " for this model; more in " +
                                    reset_text(standing.resets_in));
}

}  // namespace

const guard::Client* client_of(const Walk& walk, const Pool& pool) {
  return pool.keys->find(presented_key(walk.request.head));
}

Result<void> authenticate(Walk& walk) {
  const std::string_view key = presented_key(walk.request.head);
  walk.client = walk.pool->keys->find(key);
  if (walk.client) return {};
  walk.flags = "UAEX";
  walk.reason = key.empty() ? "no-api-key" : "wrong-api-key";
  return fail(Code::kUnauthorized, key.empty()
                                       ? "no API key was given; send it as \"Authorization: Bearer KEY\""
                                       : "this API key is not known here");
}

Result<void> authorize(Walk& walk) {
  if (Result<void> model = check_model(walk); !model) return model;
  return check_limits(walk);
}

void charge(Walk& walk, const usage::Counted& counted) {
  if (walk.account && counted.known)
    walk.account->charge(counted.prompt + counted.completion, walk.tools.clock.wall());
}

bool is_credential(const http::Header& header) {
  return header.field == http::Field::kOther && (ascii::equals_ignoring_case(header.name, "authorization") ||
                                                 ascii::equals_ignoring_case(header.name, "x-api-key") ||
                                                 ascii::equals_ignoring_case(header.name, "api-key"));
}

void append_limit_fields(std::string& out, const Walk& walk) {
  if (!walk.account) return;
  const WallTime now = walk.tools.clock.wall();
  append_standing(out, walk.account->requests(walk.client->limits, now), "requests");
  append_standing(out, walk.account->tokens(walk.client->limits, now), "tokens");
  // A client's library would try again within seconds, and again in vain.
  if (walk.reason == "token-limit-of-day") out += "x-should-retry: false\r\n";
}

}  // namespace tidegate::gateway
