#include <utility>

#include "cluster/remote/api_line.h"

namespace tidegate::remote {
namespace {

constexpr std::size_t kPendingMax = 4 * 1024 * 1024;  // then the server has to wait
constexpr std::size_t kRefusalMax = 256 * 1024;

}  // namespace

void ApiStream::State::tell_opened(Opened what) {
  const std::lock_guard lock(mutex);
  opened = std::move(what);
  changed.notify_all();
}

void ApiStream::State::call_back(std::unique_lock<std::mutex>& lock) {
  changed.notify_all();
  const bool call = std::exchange(wants_call, false);
  lock.unlock();
  if (call && on_ready) on_ready();
}

void ApiStream::State::finish(std::optional<Error> error) {
  std::unique_lock lock(mutex);
  failed = std::move(error);
  ended = true;
  call_back(lock);
}

ApiStream::State::Opened ApiStream::State::wait_opened() {
  std::unique_lock lock(mutex);
  changed.wait(lock, [this] { return opened.has_value(); });
  return *opened;
}

// Hands content to the reader until the end.
net::Task<Result<void>> ApiStream::State::copy(http::Exchange& from, TimePoint deadline) {
  while (true) {
    const Result<std::string_view> piece = co_await from.read(deadline);
    if (!piece) co_return tl::unexpected(piece.error());
    if (piece->empty()) co_return Result<void>{};
    bool wait = false;
    {
      std::unique_lock lock(mutex);
      pending.append(*piece);
      wait = full = pending.size() > kPendingMax && !cancelled;
      call_back(lock);
    }
    if (wait) co_await room.until(deadline);
  }
}

net::Task<void> ApiStream::State::pump(std::shared_ptr<State> self, std::vector<net::Address> addresses,
                                       http::ClientRequest request, Duration open_timeout,
                                       Duration lifetime) {
  State& s = *self;
  Opened told;
  const TimePoint deadline = s.loop.now() + lifetime;
  for (const net::Address& address : addresses) {
    Result<http::Exchange> exchange =
        co_await s.line->client.open(address, request, s.loop.now() + open_timeout);
    if (!exchange) {
      told.error = exchange.error();
      if (told.error.code == Code::kUnavailable) continue;
      break;
    }
    told.status = exchange->head().status;
    if (told.status != 200) {
      told.retry_after = std::string(exchange->head().find("retry-after").value_or(""));
      while (told.body.size() < kRefusalMax) {
        const Result<std::string_view> piece = co_await exchange->read(s.loop.now() + open_timeout);
        if (!piece || piece->empty()) break;
        told.body.append(*piece);
      }
      break;
    }
    s.exchange = &*exchange;
    s.tell_opened(told);
    const Result<void> copied = co_await s.copy(*exchange, deadline);
    s.exchange = nullptr;
    s.finish(copied ? std::nullopt : std::optional<Error>(copied.error()));
    co_return;
  }
  s.tell_opened(told);
  s.finish(told.error);
}

ApiStream::~ApiStream() { cancel(); }

Result<std::optional<std::string>> ApiStream::read(Duration timeout) {
  State& s = *state_;
  std::unique_lock lock(s.mutex);
  s.changed.wait_for(lock, timeout, [&s] { return !s.pending.empty() || s.ended || s.cancelled; });
  if (s.cancelled) return fail(Code::kCancelled, "the stream was given up");
  if (!s.pending.empty()) {
    std::string text = std::exchange(s.pending, {});
    if (std::exchange(s.full, false)) {
      s.loop.post([state = state_] { state->room.ring_now(); });
    }
    return text;
  }
  if (s.failed) return tl::unexpected(*s.failed);
  if (s.ended) return std::string();
  s.wants_call = true;
  return std::nullopt;
}

void ApiStream::cancel() {
  {
    const std::lock_guard lock(state_->mutex);
    if (std::exchange(state_->cancelled, true)) return;
    state_->changed.notify_all();
  }
  state_->loop.post([state = state_] {
    state->room.cancel();
    if (state->exchange) state->exchange->abort();
  });
}

}  // namespace tidegate::remote
