#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "net/bind_socket.h"
#include "net/stream.h"

namespace tidegate::net {
namespace {

tl::unexpected<Error> cannot_bind(const Address& address, int error) {
  const std::string where = "cannot listen on " + address.text();
  switch (error) {
    case EADDRINUSE:
      return fail(Code::kConflict, where + ": the port is in use; stop what uses it or choose another");
    case EACCES:
      return fail(Code::kForbidden,
                  where + ": not allowed; use a port above 1023 or run with CAP_NET_BIND_SERVICE");
    case EADDRNOTAVAIL:
      return fail(Code::kInvalid, where + ": this host has no such address");
    default:
      return fail(Code::kUnavailable, where + ": " + std::strerror(error));
  }
}

}  // namespace

Result<int> bind_socket(const Address& address, ListenOptions options) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return cannot_bind(address, errno);
  const int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (options.reuse_port) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  if (::bind(fd, address.raw(), address.raw_size()) < 0 || ::listen(fd, options.backlog) < 0) {
    const int error = errno;
    ::close(fd);
    return cannot_bind(address, error);
  }
  return fd;
}

Address local_address(int fd) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size);
  return Address::from(bound);
}

struct Listener::State final : Pollable {
  State(Loop& the_loop, int the_fd, const Address& the_address)
      : loop(the_loop), fd(the_fd), address(the_address) {}
  ~State() override {
    if (fd >= 0) ::close(fd);
  }

  void on_events(std::uint32_t) override {
    may_accept = true;
    if (accepting && try_accept(*accepting)) std::exchange(accepting, nullptr)->waiter.resume();
  }

  bool try_accept(AcceptOp& op) {
    if (aborted) {
      op.result = fail(Code::kCancelled, "no longer listening on " + address.text());
      return true;
    }
    while (may_accept) {
      sockaddr_storage raw{};
      socklen_t size = sizeof raw;
      const int accepted =
          ::accept4(fd, reinterpret_cast<sockaddr*>(&raw), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (accepted >= 0) {
        op.result = Stream::adopt(loop, accepted, Address::from(raw));
        return true;
      }
      if (errno == EAGAIN || errno == EWOULDBLOCK) {
        may_accept = false;
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        op.result =
            fail(Code::kExhausted, "cannot accept on " + address.text() + ": " + std::strerror(errno));
        return true;
      }
      // Anything else is the fate of one connection that died in the queue: take the next.
    }
    return false;
  }

  Loop& loop;
  int fd;
  Address address;
  bool may_accept = true;
  bool aborted = false;
  AcceptOp* accepting = nullptr;
};

Listener::Listener(std::unique_ptr<State> state) : state_(std::move(state)) {}
Listener::Listener() = default;
Listener::Listener(Listener&&) noexcept = default;

Listener& Listener::operator=(Listener&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}

Listener::~Listener() {
  if (!state_) return;
  TG_CHECK(!state_->accepting);
  state_->loop.remove(state_->fd);  // see Stream: a child that was just forked may hold it a moment longer
  ::close(std::exchange(state_->fd, -1));
  Loop& loop = state_->loop;
  loop.retire(std::move(state_));
}

Result<Listener> Listener::bind(Loop& loop, const Address& address, ListenOptions options) {
  const Result<int> fd = bind_socket(address, options);
  if (!fd) return tl::unexpected(fd.error());
  auto state = std::make_unique<State>(loop, *fd, local_address(*fd));
  loop.add(*fd, EPOLLIN, state.get());
  return Listener(std::move(state));
}

const Address& Listener::address() const { return state_->address; }

Listener::AcceptOp Listener::accept() { return {state_.get()}; }

bool Listener::AcceptOp::await_ready() {
  TG_CHECK(state && !state->accepting);
  return state->try_accept(*this);
}

void Listener::AcceptOp::await_suspend(std::coroutine_handle<> handle) {
  waiter = handle;
  state->accepting = this;
}

void Listener::abort() {
  state_->aborted = true;
  if (!state_->accepting) return;
  state_->accepting->result = fail(Code::kCancelled, "no longer listening on " + state_->address.text());
  state_->loop.resume_later(std::exchange(state_->accepting, nullptr)->waiter);
}

}  // namespace tidegate::net
