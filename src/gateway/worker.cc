#include "gateway/worker.h"

#include <fcntl.h>

#include <utility>

#include "gateway/exchange.h"

namespace tidegate::gateway {

Worker::Worker(const Config& config, const Clock& clock, telemetry::Registry& registry,
               telemetry::AccessLog* access_log, Caches caches, guard::Ledger& ledger,
               std::size_t shard)
    : config_(config),
      upstream_(loop_, buffers_, config.upstream),
      random_(Random::from_system()),
      picker_(config.pick),
      prompts_(caches.prefixes, &caches.blocks, &caches.tokens),
      bodies_(config.limits.body_bytes_max + dialect::kBodyPadding),
      probe_(registry, shard),
      mirrors_(loop_, upstream_),
      waitroom_(loop_, shard, config.admit),
      books_(ledger),
      tools_{loop_,   config_, clock,      random_, upstream_, picker_,    prompts_, caches.asker,
             bodies_, probe_,  access_log, shard,   date_,     scratches_, mirrors_, waitroom_,
             books_},
      view_(std::make_shared<const View>()),
      thread_([this] { loop_.run(); }) {}

Worker::~Worker() {
  if (!joined_) drain(Duration::zero()).wait();
  thread_.join();
}

void Worker::set(View view) {
  // The copy is this worker's alone: counting references to it touches no other worker's memory.
  loop_.post([this, view = std::make_shared<const View>(std::move(view))]() mutable {
    view_ = std::move(view);
    waitroom_.set(view_);
  });
}

Result<net::Address> Worker::listen(const net::Address& address, std::uint16_t port) {
  std::promise<Result<net::Address>> bound;
  std::future<Result<net::Address>> result = bound.get_future();
  loop_.post([&] { start_acceptor(address, port, bound); });
  return result.get();
}

std::unique_ptr<listener::Acceptor> Worker::make_acceptor(std::uint16_t port) {
  listener::Acceptor::Hooks hooks;
  hooks.exchange = [this, port](listener::Session& session, const listener::Request& request) {
    return exchange(tools_, port, view_, session, request);
  };
  hooks.refused = [this](int status) { probe_.refused(status); };
  hooks.connections = [this](int delta) { probe_.connections(delta); };
  hooks.tls = [this, port] { return view_->tls_of(port); };
  return std::make_unique<listener::Acceptor>(loop_, buffers_, config_.limits, config_.connections_max,
                                              std::move(hooks));
}

void Worker::start_acceptor(const net::Address& address, std::uint16_t port,
                            std::promise<Result<net::Address>>& bound) {
  auto acceptor = make_acceptor(port);
  if (Result<void> listening = acceptor->listen(address); !listening) {
    bound.set_value(tl::unexpected(listening.error()));
    return;
  }
  const net::Address where = acceptor->address();
  acceptors_.emplace(where.text(), std::move(acceptor));
  bound.set_value(where);
}

void Worker::adopt(net::HandedSocket socket, std::uint16_t port) {
  loop_.post([this, port, fd = socket.release()] {
    auto acceptor = make_acceptor(port);
    acceptor->adopt(fd);
    const std::string where = acceptor->address().text();
    acceptors_.emplace(where, std::move(acceptor));
  });
}

std::vector<net::HandedSocket> Worker::sockets() {
  std::promise<std::vector<net::HandedSocket>> made;
  auto result = made.get_future();
  loop_.post([&] {
    std::vector<net::HandedSocket> copies;
    for (const auto& [address, acceptor] : acceptors_) {
      const int copy = ::fcntl(acceptor->fd(), F_DUPFD_CLOEXEC, 0);
      if (copy >= 0) copies.emplace_back(address, copy);
    }
    made.set_value(std::move(copies));
  });
  return result.get();
}

void Worker::unlisten(const net::Address& address) {
  loop_.post([this, text = address.text()] {
    const auto [begin, end] = acceptors_.equal_range(text);
    for (auto entry = begin; entry != end; ++entry)
      tasks_.spawn(retire(std::move(entry->second), config_.drain_timeout));
    acceptors_.erase(begin, end);
  });
}

net::Task<void> Worker::retire(std::unique_ptr<listener::Acceptor> acceptor, Duration timeout) {
  co_await acceptor->drain(loop_.now() + timeout);
}

std::future<void> Worker::drain(Duration timeout) {
  joined_ = true;
  loop_.post([this, timeout] {
    waitroom_.stop();
    for (auto& [address, acceptor] : acceptors_) tasks_.spawn(retire(std::move(acceptor), timeout));
    acceptors_.clear();
    finishing_.spawn(finish());
  });
  return drained_.get_future();
}

net::Task<void> Worker::finish() {
  co_await tasks_.wait_empty();
  co_await mirrors_.stop();
  upstream_.close();
  view_.reset();
  waitroom_.set(nullptr);
  loop_.stop();
  drained_.set_value();
}

}  // namespace tidegate::gateway
