#include "simulate/fleet.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace tidegate::simulate {
namespace {

constexpr std::uint32_t kTokenBytes = 4;  // of text, as the gateway reckons too
constexpr std::uint64_t kSeed = 1;        // of the pool and its model

// Of the prompt's text, as far as the gateway looks at it.
std::uint32_t prompt_bytes_of(const Job& job) {
  constexpr std::uint64_t kMost = pick::PromptKeys::kPromptBytesMax;
  return static_cast<std::uint32_t>(std::min(std::uint64_t{job.prompt} * kTokenBytes, kMost));
}

}  // namespace

Fleet::Fleet(FleetSpec spec, std::uint64_t seed) : spec_(spec), random_(seed), picker_(spec.pick) {}

EndpointId Fleet::add(TimePoint now) {
  EndpointId id = 0;
  while (id < endpoints_.size() && endpoints_[id] != nullptr) ++id;
  if (id == endpoints_.size()) endpoints_.emplace_back();
  endpoints_[id] = std::make_unique<Endpoint>(spec_.engine);
  if (spec_.engine.prefix_caching) {
    endpoints_[id]->prefix = prefixes_.add();
    endpoints_[id]->prefix.set_capacity((spec_.engine.blocks - 1) * spec_.engine.block_tokens * kTokenBytes);
  }
  scrape(*endpoints_[id], now);
  listed_.push_back(id);
  agenda_.set(id, TimePoint::max());
  ++ready_;
  return id;
}

void Fleet::drain(EndpointId id) {
  Endpoint& endpoint = *endpoints_[id];
  if (endpoint.cell.draining()) return;
  endpoint.cell.set_draining(true);
  --ready_;
}

void Fleet::remove(EndpointId id) {
  drain(id);
  agenda_.set(id, TimePoint::max());
  endpoints_[id].reset();
  std::erase(listed_, id);
}

// Writes down what the last scrape up to `now` has shown. Requires: nothing has changed in the engine since
// that scrape.
void Fleet::scrape(Endpoint& endpoint, TimePoint now) const {
  const std::int64_t number = now.time_since_epoch() / spec_.scrape_interval;
  if (endpoint.scraped == number) return;
  endpoint.scraped = number;
  const TimePoint at{spec_.scrape_interval * number};
  const Engine& engine = *endpoint.engine;
  endpoint.cell.publish({.waiting = static_cast<float>(engine.queued()),
                         .running = static_cast<float>(engine.running()),
                         .kv_usage = static_cast<float>(engine.kv_usage(at))},
                        endpoint.cell.mark(), at);
}

// What the gateway finds of the prompt's text; here its blocks come with names.
bool Fleet::look_up(const Job& job) {
  if (!spec_.engine.prefix_caching || job.prompt * kTokenBytes < spec_.pick.prefix_prompt_bytes_min)
    return false;
  keys_.reset(kSeed);
  for (const ContentId content : job.content) keys_.push(content, spec_.content_tokens * kTokenBytes);
  prefixes_.match(keys_, match_);
  return true;
}

std::optional<std::size_t> Fleet::pick(std::uint32_t prompt_bytes) {
  if (spec_.router != Router::kOurs) {
    return choose(spec_.router, picker_.facts(), turn_++, keys_.prompt_bytes(), random_);
  }
  const pick::Ranking order = picker_.rank({.prompt_bytes = prompt_bytes}, random_, 1);
  return order.empty() ? std::nullopt : std::optional<std::size_t>(order.at(0));
}

Fleet::Dispatch Fleet::dispatch(const Job& job, TimePoint now) {
  const bool asked = look_up(job);
  std::vector<pick::EndpointFacts>& facts = picker_.facts();
  facts.resize(listed_.size());
  for (std::size_t i = 0; i < listed_.size(); ++i) {
    Endpoint& endpoint = *endpoints_[listed_[i]];
    scrape(endpoint, now);
    facts[i].tried = false;
    facts[i].prefix_bytes = asked ? match_.bytes(keys_, endpoint.prefix.id()) : 0;
    endpoint.cell.observe(pick::kNoAdapter, now, facts[i]);
  }
  const admit::Decision decision =
      admit::admit(admit::load_of(facts, spec_.limits), pick::Criticality::kStandard, spec_.limits);
  if (!decision.accepted()) return {std::nullopt, decision.reason};
  const std::uint32_t prompt_bytes = prompt_bytes_of(job);
  const auto chosen = pick(prompt_bytes);
  if (!chosen) return {std::nullopt, admit::Reason::kNoEndpoints};
  const EndpointId id = listed_[*chosen];
  Endpoint& endpoint = *endpoints_[id];
  if (asked) prefixes_.insert(keys_, endpoint.prefix.id());
  if (job.id >= sent_.size()) sent_.resize(std::max<std::size_t>(job.id + 1, sent_.size() * 2));
  const std::uint32_t prefill_bytes = prompt_bytes - std::min(facts[*chosen].prefix_bytes, prompt_bytes);
  sent_[job.id] = {endpoint.cell.dispatch(), prefill_bytes};
  endpoint.cell.add_prefill(prefill_bytes);
  endpoint.engine->submit(job, now);
  agenda_.set(id, endpoint.engine->next());
  return {id, admit::Reason::kNone};
}

// What the gateway counts when an answer begins and when it ends.
void Fleet::note(Endpoint& endpoint, const News& news) {
  Sent& sent = sent_[news.id];
  endpoint.cell.end_prefill(std::exchange(sent.prefill_bytes, 0));
  if (news.kind == News::Kind::kEnd) endpoint.cell.finish(sent.ticket);
}

EndpointId Fleet::advance(std::vector<News>& news) {
  const EndpointId id = agenda_.who();
  Endpoint& endpoint = *endpoints_[id];
  // A scrape just before is older than what happens now.
  scrape(endpoint, agenda_.soonest() - Duration(1));
  const std::size_t before = news.size();
  endpoint.engine->advance(news);
  for (std::size_t i = before; i < news.size(); ++i) note(endpoint, news[i]);
  agenda_.set(id, endpoint.engine->next());
  return id;
}

}  // namespace tidegate::simulate
