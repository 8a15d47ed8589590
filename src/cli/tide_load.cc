#include "cli/tide_load.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <thread>

#include "net/loop.h"

namespace tidegate::cli {
namespace {

constexpr Duration kRateWindow = std::chrono::seconds(2);
constexpr Duration kPause = std::chrono::milliseconds(100);  // of a client whose request failed

}  // namespace

struct TideLoad::State {
  BenchRequest request;
  SystemClock clock;
  TimePoint began;
  std::atomic<bool> stopping{false};
  mutable std::mutex mutex;
  std::uint64_t answered = 0, failed = 0;
  std::deque<TimePoint> recent;  // when the last requests were answered
  std::map<std::string, std::size_t> failures;
  std::thread thread;

  void note(const Result<BenchAnswer>& answer) {
    const std::lock_guard held(mutex);
    if (!answer) {
      ++failed;
      ++failures[describe(answer.error())];
      return;
    }
    ++answered;
    recent.push_back(clock.now());
    while (recent.front() < clock.now() - kRateWindow) recent.pop_front();
  }

  net::Task<void> keep_asking(net::Loop& loop, http::Client& client) {
    net::Alarm pause(loop);
    while (!stopping) {
      const Result<BenchAnswer> answer = co_await ask_completion(client, clock, request);
      note(answer);
      if (!answer) (void)co_await pause.after(kPause);
    }
  }

  static net::Task<void> stop_when_empty(net::Loop& loop, net::TaskGroup& clients) {
    co_await clients.wait_empty();
    loop.stop();
  }

  void run(std::size_t clients) {
    net::Loop loop;
    http::ClientOptions options;
    options.idle_per_address_max = clients;
    http::Client client(loop, options);
    net::TaskGroup asking, watching;
    for (std::size_t i = 0; i < clients; ++i) asking.spawn(keep_asking(loop, client));
    watching.spawn(stop_when_empty(loop, asking));
    if (!watching.empty()) loop.run();
  }
};

TideLoad::TideLoad(BenchRequest request, std::size_t clients) : state_(std::make_unique<State>()) {
  state_->request = std::move(request);
  state_->began = state_->clock.now();
  state_->thread = std::thread([state = state_.get(), clients] { state->run(clients); });
}

TideLoad::~TideLoad() { stop(); }

tide::Traffic TideLoad::traffic() const {
  const std::lock_guard held(state_->mutex);
  const TimePoint now = state_->clock.now();
  const auto young = std::count_if(state_->recent.begin(), state_->recent.end(),
                                   [&](TimePoint at) { return at >= now - kRateWindow; });
  const double window = std::clamp(seconds(now - state_->began), 0.1, seconds(kRateWindow));
  return {static_cast<double>(young) / window, state_->answered, state_->failed};
}

std::map<std::string, std::size_t> TideLoad::failures() const {
  const std::lock_guard held(state_->mutex);
  return state_->failures;
}

void TideLoad::stop() {
  state_->stopping = true;
  if (state_->thread.joinable()) state_->thread.join();
}

}  // namespace tidegate::cli
