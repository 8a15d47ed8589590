#include "gateway/fleet/fleet.h"

#include <unordered_set>
#include <utility>

#include "base/log.h"
#include "gateway/dialect/scrape.h"
#include "gateway/pick/residency.h"

namespace tidegate::fleet {
namespace {

constexpr std::uint32_t kFailuresUntilOut = 2;

// An endpoint without a metrics page is asked again after this many intervals.
constexpr int kIntervalsWithoutPage = 20;

// However often requests find a list of models untrue, it is read again no sooner.
constexpr Duration kDoubtPause = std::chrono::milliseconds(500);

// Of prompts, roughly; what an engine's cache holds is told in tokens.
constexpr std::uint64_t kBytesPerToken = 4;

}  // namespace

struct Fleet::Watched {
  Watched(net::Loop& loop, std::shared_ptr<Live> the_live) : live(std::move(the_live)), alarm(loop) {}

  std::shared_ptr<Live> live;
  net::Alarm alarm;
  bool gone = false;
  std::unique_ptr<upstream::Connection> connection;
  std::string request;
  std::vector<std::string_view> pieces;
  std::string page;
  dialect::EngineState state;
  std::shared_ptr<const std::vector<dialect::ServedModel>> served;
  TimePoint models_due{};
  TimePoint models_read{};
  double tokens = 0;  // that it had computed and generated when last asked
  std::uint32_t failures_in_row = 0;
  std::uint64_t scrapes_failed = 0;
  bool has_page = true;
  bool connected = false;  // the latest scrape got that far
  std::shared_ptr<const dialect::AdapterWords> words;
  dialect::Engine declared = dialect::Engine::kUnknown;
  dialect::Engine seen = dialect::Engine::kUnknown;  // on its pages, or in its list of models
  bool looks_elsewhere = false;                      // for its metrics page

  dialect::Engine engine() const { return declared != dialect::Engine::kUnknown ? declared : seen; }
  std::string_view metrics_path() const {
    return dialect::metrics_path(looks_elsewhere ? dialect::Engine::kTensorRtLlm : engine());
  }
};

Fleet::Fleet(net::Loop& loop, Options options, std::function<void()> changed, pick::PrefixIndex* prefixes)
    : loop_(loop), options_(options), changed_(std::move(changed)), prefixes_(prefixes) {}

Fleet::~Fleet() = default;

void Fleet::set(std::span<const Wanted> wanted) {
  std::unordered_set<std::string_view> keys;
  for (const Wanted& one : wanted) keys.insert(one.key);
  for (auto entry = watched_.begin(); entry != watched_.end();) {
    if (keys.contains(entry->first)) {
      ++entry;
      continue;
    }
    entry->second->gone = true;
    entry->second->alarm.cancel();
    if (entry->second->connection) entry->second->connection->abort();
    entry = watched_.erase(entry);
  }
  for (const Wanted& one : wanted) {
    if (const auto known = watched_.find(one.key); known != watched_.end()) {
      known->second->declared = one.engine;
      continue;
    }
    const Result<net::Address> address = net::Address::parse(one.address);
    if (!address) continue;  // the snapshot has reported it
    const std::uint32_t slots = one.adapter_slots ? one.adapter_slots : pick::kDefaultAdapterSlots;
    const bool caches = prefixes_ != nullptr && one.scraped;
    auto live =
        std::make_shared<Live>(one.key, *address, slots, caches ? prefixes_->add() : pick::PrefixSlot(),
                               one.name, options_.guard, one.secured);
    auto watched = std::make_shared<Watched>(loop_, std::move(live));
    watched->declared = one.engine;
    watched_.emplace(one.key, watched);
    if (one.scraped) watched->live->gate().start(options_.gate);
    if (one.scraped) tasks_.spawn(watch(watched));
  }
}

std::shared_ptr<Live> Fleet::find(const std::string& key) const {
  const auto found = watched_.find(key);
  return found == watched_.end() ? nullptr : found->second->live;
}

std::shared_ptr<const std::vector<dialect::ServedModel>> Fleet::served(const std::string& key) const {
  const auto found = watched_.find(key);
  return found == watched_.end() ? nullptr : found->second->served;
}

std::shared_ptr<const dialect::AdapterWords> Fleet::adapter_words(const std::string& key) const {
  const auto found = watched_.find(key);
  return found == watched_.end() ? nullptr : found->second->words;
}

std::vector<Fleet::Row> Fleet::rows() const {
  std::vector<Row> rows;
  rows.reserve(watched_.size());
  const TimePoint now = loop_.now();
  for (const auto& [key, watched] : watched_) {
    const Live& live = *watched->live;
    rows.push_back({key, live.address_text(), live.cell().healthy(),
                    live.facts(pick::kNoAdapter, loop_.now()), live.cell().residency().resident_count(),
                    watched->scrapes_failed, live.breaker().state(now), live.hangs(now),
                    live.breaker().openings(), watched->engine(), live.prefix_id()});
  }
  return rows;
}

net::Task<void> Fleet::stop() {
  set({});
  co_await tasks_.wait_empty();
}

net::Task<void> Fleet::watch(std::shared_ptr<Watched> watched) {
  while (!watched->gone) {
    const TimePoint started = loop_.now();
    const bool answered = co_await scrape(*watched);
    const bool is_doubted =
        watched->live->models_doubted() && started >= watched->models_read + kDoubtPause;
    if (answered && !watched->gone && (started >= watched->models_due || is_doubted)) {
      watched->models_due = started + options_.models_interval;
      watched->models_read = started;
      watched->live->believe_models();
      co_await read_models(*watched);
    }
    const bool idle = answered && !watched->has_page;
    const Duration pause = options_.scrape_interval * (idle ? kIntervalsWithoutPage : 1);
    co_await watched->alarm.until(started + pause);
  }
}

net::Task<bool> Fleet::scrape(Watched& watched) {
  Live& live = *watched.live;
  const std::uint64_t mark = live.cell().mark();
  const Result<int> status = co_await fetch(watched, watched.metrics_path());
  if (watched.gone) co_return false;
  if (!status) {
    ++watched.scrapes_failed;
    watched.models_due = {};
    if (++watched.failures_in_row >= kFailuresUntilOut) take_out(watched, status.error());
    co_return false;
  }
  watched.failures_in_row = 0;
  if (live.answered()) {
    log::info("fleet", "endpoint is back", {{"endpoint", live.key()}});
    changed_();
  }
  dialect::EngineState& state = watched.state;
  dialect::read_metrics(watched.page, state);
  watched.has_page = *status == 200 && state.any();
  if (watched.has_page) watched.seen = state.engine;
  if (!watched.has_page) {
    // Not every engine has it in the same place, and an unknown one may be any.
    watched.looks_elsewhere = watched.engine() == dialect::Engine::kUnknown && !watched.looks_elsewhere;
    live.gate().open();
    co_return true;
  }
  const TimePoint now = loop_.now();
  if (state.has_tokens && state.tokens != watched.tokens) {  // it works, whoever waits
    watched.tokens = state.tokens;
    live.cell().progressed(now);
  }
  live.cell().publish({static_cast<float>(state.waiting), static_cast<float>(state.running),
                       static_cast<float>(state.kv_usage)},
                      mark, now);
  if (const std::uint64_t tokens = state.num_gpu_blocks * state.block_size; tokens > 0)
    live.prefixes().set_capacity(tokens * kBytesPerToken);
  live.gate().observe(static_cast<float>(state.waiting), static_cast<float>(state.kv_usage),
                      live.cell().in_flight(), options_.gate);
  if (state.has_lora && state.max_lora > 0) live.cell().residency().set_slots(state.max_lora);
  for (const std::string& adapter : state.running_adapters) {
    live.cell().residency().touch(pick::adapter_id(adapter), now);
  }
  co_return true;
}

// A request may have found out before, which says less: what its engine holds is lost only if it is asked in
// vain as well.
void Fleet::take_out(Watched& watched, const Error& why) {
  Live& live = *watched.live;
  const bool was_healthy = live.failed(loop_.now());
  if (!watched.connected) live.set_unreachable();
  if (live.note_trouble(why.message))
    log::warning("fleet", "endpoint is out", {{"endpoint", live.key()}, {"why", why.message}});
  if (!was_healthy && watched.failures_in_row != kFailuresUntilOut) return;
  live.traits().forget();
  live.cell().residency().clear();
  live.prefixes().forget();
  changed_();
}

net::Task<void> Fleet::read_models(Watched& watched) {
  const Result<int> status = co_await fetch(watched, "/v1/models");
  if (watched.gone || !status || *status != 200) co_return;
  Result<std::vector<dialect::ServedModel>> models = dialect::read_models(watched.page);
  if (!models) co_return;
  if (!watched.has_page && !models->empty())  // another one may have come to the address
    watched.seen = dialect::engine_of_owner(models->front().owner);
  std::vector<dialect::LoraFile> files;
  if (watched.engine() == dialect::Engine::kLlamaCpp) {
    files = co_await read_lora_files(watched);
    if (watched.gone) co_return;
    const std::string base = models->empty() ? std::string() : models->front().id;
    for (const dialect::LoraFile& file : files) models->push_back({file.name, {}, base, 0, {}});
  }
  auto words = dialect::AdapterWords::make(watched.engine(), *models, files);
  const bool same_words = words ? watched.words && *words == *watched.words : !watched.words;
  if (!same_words) watched.words = std::move(words);
  const auto same = [](const dialect::ServedModel& a, const dialect::ServedModel& b) {
    return a.id == b.id && a.root == b.root && a.parent == b.parent;
  };
  if (same_words && watched.served && std::ranges::equal(*watched.served, *models, same)) co_return;
  watched.served = std::make_shared<const std::vector<dialect::ServedModel>>(*std::move(models));
  changed_();
}

net::Task<std::vector<dialect::LoraFile>> Fleet::read_lora_files(Watched& watched) {
  const Result<int> status = co_await fetch(watched, "/lora-adapters");
  if (!status || *status != 200) co_return std::vector<dialect::LoraFile>();
  co_return dialect::read_lora_files(watched.page).value_or(std::vector<dialect::LoraFile>());
}

// One GET over the kept connection; the body is left in watched.page. A kept connection that turns out to be
// closed says nothing about the engine, so it is tried once more on a new one.
net::Task<Result<int>> Fleet::fetch(Watched& watched, std::string_view path) {
  const bool kept = watched.connection && watched.connection->reusable();
  Result<int> status = co_await fetch_once(watched, path);
  if (!status && kept && !watched.gone) status = co_await fetch_once(watched, path);
  co_return status;
}

net::Task<Result<int>> Fleet::fetch_once(Watched& watched, std::string_view path) {
  const TimePoint deadline = loop_.now() + options_.scrape_timeout;
  const net::Address address = watched.live->address();
  if (watched.connection && !watched.connection->reusable()) watched.connection.reset();
  if (!watched.connection) {
    watched.connected = false;
    Result<net::Stream> stream =
        co_await upstream::open_stream(loop_, address, watched.live->secured(), deadline);
    if (!stream) co_return tl::unexpected(stream.error());
    watched.connection = std::make_unique<upstream::Connection>(buffers_, head_limits_, *std::move(stream));
    watched.connected = true;
  }
  upstream::Connection& connection = *watched.connection;
  connection.set_deadline(deadline);
  watched.request.assign("GET ")
      .append(path)
      .append(" HTTP/1.1\r\nHost: ")
      .append(watched.live->address_text());
  watched.request.append(
      "\r\nAccept: text/plain;version=0.0.4, application/json\r\nUser-Agent: tidegate\r\n\r\n");
  iovec piece{watched.request.data(), watched.request.size()};
  const Result<void> sent = co_await connection.send(&piece, 1, false);
  if (!sent) {
    watched.connection.reset();
    co_return tl::unexpected(sent.error());
  }
  const Result<const http::Head*> head = co_await connection.read_head();
  if (!head) {
    watched.connection.reset();
    co_return tl::unexpected(head.error());
  }
  const int status = (*head)->status;
  watched.page.clear();
  while (true) {
    watched.pieces.clear();
    const Result<bool> done = co_await connection.read_body(watched.pieces);
    for (const std::string_view part : watched.pieces) watched.page += part;
    if (!done || watched.page.size() > options_.page_bytes_max) {
      watched.connection.reset();
      if (!done) co_return tl::unexpected(done.error());
      co_return fail(Code::kTooLarge,
                     "its page is larger than " + std::to_string(options_.page_bytes_max) + " bytes");
    }
    if (*done) break;
  }
  co_return status;
}

}  // namespace tidegate::fleet
