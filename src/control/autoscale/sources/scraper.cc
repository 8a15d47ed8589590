#include "control/autoscale/sources/scraper.h"

#include <algorithm>

#include "base/check.h"
#include "http/client.h"
#include "net/loop.h"
#include "net/task.h"

namespace tidegate::sources {
namespace {

constexpr Duration kKept = std::chrono::seconds(60);
constexpr Duration kTimeout = std::chrono::seconds(1);
constexpr std::size_t kPageBytesMax = 8 * 1024 * 1024;
constexpr std::size_t kTargetsMax = 10'000;

http::ClientOptions client_options() { return {.head = {}, .body_bytes_max = kPageBytesMax}; }

// A pod is asked by its address, which its certificate need not name; what it says only counts pods.
http::ClientOptions secure_options() {
  http::ClientOptions options = client_options();
  auto anyone = net::TlsClient::make({.trust_anyone = true});
  TG_CHECK(anyone.has_value());
  options.tls = *std::move(anyone);
  return options;
}

}  // namespace

PagePtr History::newest(WallTime now, Duration age) const {
  if (pages.empty() || pages.back()->at + age < now) return nullptr;
  return pages.back();
}

struct Scraper::State {
  // One target that somebody wants; loop's thread.
  struct Watched {
    explicit Watched(net::Loop& loop) : alarm(loop) {}
    Want want;
    net::Alarm alarm;
    bool gone = false;
  };

  explicit State(const Clock& the_clock)
      : clock(the_clock), client(loop, client_options()), secure_client(loop, secure_options()) {}

  void set(const std::map<Target, Want>& wanted);
  net::Task<void> watch(Target target, std::shared_ptr<Watched> watched);
  net::Task<Result<std::vector<Series>>> ask(const Target& target, const Want& want);
  net::Task<void> finish();

  const Clock& clock;
  net::Loop loop;
  http::Client client;
  http::Client secure_client;
  net::TaskGroup tasks;
  net::TaskGroup closing;
  std::map<Target, std::shared_ptr<Watched>> watched;

  std::mutex mutex;
  std::map<std::string, std::map<Target, Want>> askers;  // guarded by mutex
  std::map<Target, History> histories;                   // guarded by mutex
  std::thread thread;
};

Scraper::Scraper(const Clock& clock) : state_(std::make_unique<State>(clock)) {
  state_->thread = std::thread([state = state_.get()] { state->loop.run(); });
}

Scraper::~Scraper() {
  state_->loop.post([state = state_.get()] {
    state->set({});
    state->client.close_idle();
    state->secure_client.close_idle();
    state->closing.spawn(state->finish());
  });
  state_->thread.join();
}

net::Task<void> Scraper::State::finish() {
  co_await tasks.wait_empty();  // whoever still asks gives up within the time-out of a request
  loop.stop();
}

void Scraper::want(const std::string& asker, std::map<Target, Want> wants) {
  std::map<Target, Want> all;
  {
    const std::lock_guard held(state_->mutex);
    if (wants.empty()) {
      state_->askers.erase(asker);
    } else {
      state_->askers[asker] = std::move(wants);
    }
    for (const auto& [name, theirs] : state_->askers) {
      for (const auto& [target, one] : theirs) {
        const auto [entry, is_new] = all.emplace(target, one);
        if (is_new) continue;
        entry->second.names.insert(one.names.begin(), one.names.end());
        entry->second.period = std::min(entry->second.period, one.period);
      }
    }
  }
  state_->loop.post([state = state_.get(), all = std::move(all)] { state->set(all); });
}

History Scraper::history(const Target& target) const {
  const std::lock_guard held(state_->mutex);
  const auto found = state_->histories.find(target);
  return found == state_->histories.end() ? History{.pages = {}, .error = "it has not been read yet"}
                                          : found->second;
}

void Scraper::State::set(const std::map<Target, Want>& wanted) {
  for (auto entry = watched.begin(); entry != watched.end();) {
    if (wanted.contains(entry->first)) {
      ++entry;
      continue;
    }
    entry->second->gone = true;
    entry->second->alarm.cancel();
    {
      const std::lock_guard held(mutex);
      histories.erase(entry->first);
    }
    entry = watched.erase(entry);
  }
  for (const auto& [target, want] : wanted) {
    const auto found = watched.find(target);
    if (found != watched.end()) {
      const bool sooner = want.period < found->second->want.period;
      found->second->want = want;
      if (sooner) found->second->alarm.ring_now();
      continue;
    }
    if (watched.size() >= kTargetsMax) return;
    auto fresh = std::make_shared<Watched>(loop);
    fresh->want = want;
    watched.emplace(target, fresh);
    tasks.spawn(watch(target, fresh));
  }
}

net::Task<void> Scraper::State::watch(Target target, std::shared_ptr<Watched> one) {
  while (!one->gone) {
    const TimePoint started = loop.now();
    Result<std::vector<Series>> series = co_await ask(target, one->want);
    if (one->gone) break;
    {
      const WallTime now = clock.wall();
      const std::lock_guard held(mutex);
      History& history = histories[target];
      history.error = series ? std::string() : describe(series.error());
      if (series) history.pages.push_back(std::make_shared<const Page>(Page{now, *std::move(series)}));
      while (!history.pages.empty() && history.pages.front()->at + kKept < now) history.pages.pop_front();
    }
    co_await one->alarm.until(started + one->want.period);
  }
}

net::Task<Result<std::vector<Series>>> Scraper::State::ask(const Target& target, const Want& want) {
  const Result<net::Address> address = net::Address::parse(target.address);
  if (!address) co_return tl::unexpected(address.error());
  const std::set<std::string> names = want.names;  // `want` may change meanwhile
  const http::ClientRequest request{.target = target.path};
  http::Client& from = target.secure ? secure_client : client;
  const Result<http::Response> answer = co_await from.fetch(*address, request, loop.now() + kTimeout);
  if (!answer) co_return tl::unexpected(answer.error());
  if (target.format == Target::Format::kQuery) co_return read_query(answer->body);
  if (answer->status != 200) {
    co_return fail(Code::kUnavailable,
                   target.address + target.path + " answers " + std::to_string(answer->status));
  }
  co_return read_page(answer->body,
                      [&names](std::string_view name) { return names.contains(std::string(name)); });
}

}  // namespace tidegate::sources
