#include "gateway/listener/acceptor.h"

#include <utility>

#include "base/log.h"

namespace tidegate::listener {
namespace {

// When descriptors have run out, the next accept is tried after this.
constexpr Duration kExhaustedPause = std::chrono::milliseconds(100);

}  // namespace

Acceptor::Acceptor(net::Loop& loop, net::BufferPool& buffers, const Limits& limits,
                   std::size_t connections_max, Hooks hooks)
    : loop_(loop),
      connections_max_(connections_max),
      hooks_(std::move(hooks)),
      context_{loop, buffers, limits, hooks_.exchange, hooks_.refused, draining_, hooks_.tls},
      pause_(loop) {}

Acceptor::~Acceptor() = default;

Result<void> Acceptor::listen(const net::Address& address) {
  Result<net::Listener> bound = net::Listener::bind(loop_, address, {.reuse_port = true});
  if (!bound) return tl::unexpected(bound.error());
  listener_ = *std::move(bound);
  accepting_.spawn(accept_loop());
  return {};
}

net::Task<void> Acceptor::accept_loop() {
  while (true) {
    Result<net::Stream> client = co_await listener_.accept();
    if (client) {
      // Over the limit a connection is closed at once: the client sees it and may go elsewhere.
      if (sessions_.size() < connections_max_) {
        serving_.spawn(serve(std::make_unique<Session>(context_, *std::move(client))));
      }
      continue;
    }
    if (client.error().code == Code::kCancelled) co_return;
    log::warning("gateway", "cannot accept",
                 {{"address", address().text()}, {"why", client.error().message}});
    co_await pause_.after(kExhaustedPause);
  }
}

net::Task<void> Acceptor::serve(std::unique_ptr<Session> session) {
  sessions_.insert(session.get());
  hooks_.connections(+1);
  co_await session->run();
  hooks_.connections(-1);
  sessions_.erase(session.get());
}

net::Task<void> Acceptor::drain(TimePoint deadline) {
  draining_ = true;
  listener_.abort();
  pause_.cancel();
  for (Session* session : sessions_) session->end_when_idle();
  net::Timer cut(loop_, [this] {
    for (Session* session : sessions_) session->stream().abort();
  });
  cut.arm(deadline);
  co_await accepting_.wait_empty();
  listener_ = net::Listener();
  co_await serving_.wait_empty();
}

}  // namespace tidegate::listener
