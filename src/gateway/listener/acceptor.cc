#include "gateway/listener/acceptor.h"

#include <algorithm>
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
      pause_(loop, [this] {
        if (listener_) listener_->try_again();
      }) {}

Acceptor::~Acceptor() = default;

Result<void> Acceptor::listen(const net::Address& address) {
  auto bound = net::SharedListener::bind(loop_, address, {.reuse_port = true},
                                         [this](Result<net::Stream> client) { take(std::move(client)); });
  if (!bound) return tl::unexpected(bound.error());
  listener_ = *std::move(bound);
  return {};
}

void Acceptor::adopt(int fd) {
  listener_ =
      net::SharedListener::adopt(loop_, fd, [this](Result<net::Stream> client) { take(std::move(client)); });
}

void Acceptor::take(Result<net::Stream> client) {
  if (!client) {
    log::warning("gateway", "cannot accept",
                 {{"address", address().text()}, {"why", client.error().message}});
    pause_.arm(loop_.now() + kExhaustedPause);
    return;
  }
  // Over the limit a connection is closed at once: the client sees it and may go elsewhere.
  if (sessions_.size() < connections_max_)
    serving_.spawn(serve(std::make_unique<Session>(context_, *std::move(client))));
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
  pause_.disarm();
  listener_.reset();
  net::Timer idle(loop_, [this] {
    for (Session* session : sessions_) session->end_when_idle();
  });
  idle.arm(std::min(deadline, loop_.now() + kDrainIdle));
  net::Timer cut(loop_, [this] {
    for (Session* session : sessions_) session->cut();
  });
  cut.arm(deadline);
  co_await serving_.wait_empty();
}

}  // namespace tidegate::listener
