#include "net/stream.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "net/tls_session.h"

namespace tidegate::net {
namespace {

constexpr std::size_t kPiecesPerCall = 64;

// So few bytes are copied into one piece first: the kernel takes longer to walk a list than that.
constexpr std::size_t kJoinedBytesMax = 4096;

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

tl::unexpected<Error> system_failure(std::string_view what, const Address& peer, int error) {
  char buffer[128];
  return fail(Code::kUnavailable,
              std::string(what) + " " + peer.text() + ": " + strerror_r(error, buffer, sizeof buffer));
}

}  // namespace

// As send() and recv(). Those of the C library may be cancelled from other threads, which costs atomic
// operations before and after every call in a program with threads; none of ours is ever cancelled.
ssize_t send_bytes(int fd, const void* data, std::size_t size) {
  return ::syscall(SYS_sendto, fd, data, size, MSG_NOSIGNAL, nullptr, 0);
}
ssize_t receive_bytes(int fd, void* data, std::size_t size) {
  return ::syscall(SYS_recvfrom, fd, data, size, 0, nullptr, nullptr);
}

// One call's worth of `pieces`; returns what send() returns.
ssize_t send_pieces(int fd, const iovec* pieces, std::size_t count) {
  if (count == 1) return send_bytes(fd, pieces->iov_base, pieces->iov_len);
  char joined[kJoinedBytesMax];
  std::size_t size = 0;
  std::size_t copied = 0;
  while (copied < count && pieces[copied].iov_len <= kJoinedBytesMax - size) {
    const iovec& piece = pieces[copied++];
    if (piece.iov_len == 0) continue;  // an empty piece may have no address
    std::memcpy(joined + size, piece.iov_base, piece.iov_len);
    size += piece.iov_len;
  }
  if (copied == count) return send_bytes(fd, joined, size);
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces);
  message.msg_iovlen = std::min(count, kPiecesPerCall);
  return ::sendmsg(fd, &message, MSG_NOSIGNAL);
}

// The operations that wait hold themselves (in their coroutine's frame); the state points at them.
struct Stream::State final : Pollable {
  State(Loop& the_loop, int the_fd, const Address& the_peer)
      : loop(the_loop), fd(the_fd), peer(the_peer), timer(the_loop, [this] { expire(); }) {}
  ~State() override { shut(); }

  void on_events(std::uint32_t events) override;
  void deliver() override;
  bool send() override;
  void sent() override;
  void do_read();
  void do_write();
  void expire();
  void arm();
  void fail_waiting(Code code, std::string_view message);
  bool refuse(Result<std::size_t>& result) const;
  bool refuse(Result<void>& result) const;
  bool try_read(ReadOp& op);
  bool try_write(WriteOp& op);
  bool try_read_tls(ReadOp& op);
  static void take_buffer(ReadOp& op);
  static void give_buffer_back(ReadOp& op);
  bool try_write_tls(WriteOp& op);
  void on_tls_events();
  void set_hung_up();
  // Closing alone is not enough: while a child that was just forked still holds the connection, until its
  // exec, the kernel goes on reporting it for a state that may be gone.
  void shut() {
    if (fd < 0) return;
    loop.remove(fd);
    ::close(std::exchange(fd, -1));
  }

  Loop& loop;
  int fd;
  Address peer;
  bool may_read = false;  // set by the kernel's next edge; the registration itself brings the first
  bool may_write = true;
  bool hung_up = false;
  bool aborted = false;
  ReadOp* reading = nullptr;
  bool received = false;  // `reading` is over; the loop will call deliver()
  WriteOp* writing = nullptr;
  bool send_is_due = false;  // the loop will call send(); until then `writing` waits for nothing else
  std::function<void()> hangup_callback;
  ConnectOp* connecting = nullptr;
  HandshakeOp* shaking = nullptr;
  std::unique_ptr<TlsSession> tls;  // null: plain
  bool resetting = false;           // the peer shall not take what it got for complete
  TimePoint deadline = TimePoint::max();
  Timer timer;
};

// Over with the first event: the caller asks the socket how it went.
struct Stream::ConnectOp {
  State* state;
  Result<void> result{};
  std::coroutine_handle<> waiter = nullptr;

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    waiter = handle;
    state->connecting = this;
    state->arm();
  }
  Result<void> await_resume() { return std::move(result); }
};

// Over when both sides have agreed, or cannot.
struct Stream::HandshakeOp {
  State* state;
  Result<void> result{};
  std::coroutine_handle<> waiter = nullptr;

  bool step() {
    std::optional<Result<void>> over = state->tls->handshake();
    if (over) result = *std::move(over);
    return over.has_value();
  }
  bool await_ready() { return step(); }
  void await_suspend(std::coroutine_handle<> handle) {
    waiter = handle;
    state->shaking = this;
    state->arm();
  }
  Result<void> await_resume() { return std::move(result); }
};

void Stream::State::on_events(std::uint32_t events) {
  if (fd < 0) return;
  if (connecting) {
    may_write = may_read = true;
    std::exchange(connecting, nullptr)->waiter.resume();
    return;
  }
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) may_read = true;
  if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) may_write = true;
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) set_hung_up();
  if (tls) {
    on_tls_events();
    return;
  }
  // A resumed coroutine may close this stream; the state itself lives until the end of the round.
  if (may_write && writing && !send_is_due) do_write();
  if (may_read && reading && !received && try_read(*reading)) {
    received = true;
    loop.received(this);
  }
}

// An operation that was failed meanwhile is `reading` no more.
void Stream::State::deliver() {
  received = false;
  if (reading) std::exchange(reading, nullptr)->waiter.resume();
}

// What OpenSSL waits for need not be what the operation is called.
void Stream::State::on_tls_events() {
  tls->flush();
  if (shaking) {
    if (shaking->step()) std::exchange(shaking, nullptr)->waiter.resume();
    return;
  }
  if (writing) do_write();
  if (reading) do_read();
}

void Stream::State::set_hung_up() {
  if (std::exchange(hung_up, true)) return;
  if (!hangup_callback) return;
  const auto callback = std::exchange(hangup_callback, nullptr);
  callback();
}

bool Stream::State::refuse(Result<std::size_t>& result) const {
  if (aborted) result = tidegate::fail(Code::kCancelled, "connection with " + peer.text() + " was given up");
  return aborted;
}

bool Stream::State::refuse(Result<void>& result) const {
  if (aborted) result = tidegate::fail(Code::kCancelled, "connection with " + peer.text() + " was given up");
  return aborted;
}

// True if the operation is over, with its result set.
bool Stream::State::try_read(ReadOp& op) {
  if (refuse(op.result)) return true;
  if (tls) [[unlikely]]
    return try_read_tls(op);
  if (!may_read) return false;
  if (!op.data) {
    if (!op.pool) {
      op.result = 0;
      return true;
    }
    take_buffer(op);
  }
  const ssize_t got = receive_bytes(fd, op.data, op.size);
  if (got < 0) {
    if (would_block(errno)) {
      may_read = false;
      give_buffer_back(op);
      return false;
    }
    if (errno == EINTR) return try_read(op);
    op.result = system_failure("reading from", peer, errno);
    return true;
  }
  // Less than asked for means the kernel's buffer is empty, unless the end has come as well.
  if (static_cast<std::size_t>(got) < op.size && got > 0 && !hung_up) may_read = false;
  op.result = static_cast<std::size_t>(got);
  return true;
}

bool Stream::State::try_write(WriteOp& op) {
  if (refuse(op.result)) return true;
  if (tls) [[unlikely]]
    return try_write_tls(op);
  iovec* pieces = op.pieces ? op.pieces : &op.single;
  while (op.count > 0) {
    if (pieces->iov_len == 0) {
      ++pieces;
      --op.count;
      continue;
    }
    if (!may_write) break;
    const ssize_t sent = send_pieces(fd, pieces, op.count);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (!would_block(errno)) {
        op.result = system_failure("writing to", peer, errno);
        return true;
      }
      may_write = false;
      break;
    }
    auto left = static_cast<std::size_t>(sent);
    while (op.count > 0 && left >= pieces->iov_len) {
      left -= pieces->iov_len;
      ++pieces;
      --op.count;
    }
    if (left > 0) {
      pieces->iov_base = static_cast<char*>(pieces->iov_base) + left;
      pieces->iov_len -= left;
    }
  }
  if (op.pieces) op.pieces = pieces;
  return op.count == 0;
}

bool Stream::State::try_read_tls(ReadOp& op) {
  if (op.pool && !op.data) take_buffer(op);
  std::optional<Result<std::size_t>> got = tls->read(op.data, op.size);
  if (got) {
    op.result = *std::move(got);
  } else {
    give_buffer_back(op);
  }
  return got.has_value();
}

void Stream::State::take_buffer(ReadOp& op) {
  *op.buffer = op.pool->take();
  op.data = op.buffer->data();
  op.size = op.buffer->size();
}

// Nothing was there after all: it goes on waiting without one.
void Stream::State::give_buffer_back(ReadOp& op) {
  if (!op.pool) return;
  op.buffer->release();
  op.data = nullptr;
}

bool Stream::State::try_write_tls(WriteOp& op) {
  iovec* pieces = op.pieces ? op.pieces : &op.single;
  std::optional<Result<void>> sent = tls->write(pieces, op.count);
  if (op.pieces) op.pieces = pieces;
  if (sent) op.result = *std::move(sent);
  return sent.has_value();
}

void Stream::State::do_read() {
  if (!try_read(*reading)) return;
  std::exchange(reading, nullptr)->waiter.resume();
}

void Stream::State::do_write() {
  if (!try_write(*writing)) return;
  std::exchange(writing, nullptr)->waiter.resume();
}

// Ends what waits through the loop, never from inside the caller: whoever aborts goes on undisturbed.
void Stream::State::fail_waiting(Code code, std::string_view message) {
  const auto text = [&] { return std::string(message) + " " + peer.text(); };
  if (reading) {
    reading->result = tidegate::fail(code, text());
    loop.resume_later(std::exchange(reading, nullptr)->waiter);
  }
  if (writing) {
    writing->result = tidegate::fail(code, text());
    loop.resume_later(std::exchange(writing, nullptr)->waiter);
  }
  if (connecting) {
    connecting->result = tidegate::fail(code, text());
    loop.resume_later(std::exchange(connecting, nullptr)->waiter);
  }
  if (shaking) {
    shaking->result = tidegate::fail(code, text());
    loop.resume_later(std::exchange(shaking, nullptr)->waiter);
  }
}

// A deadline that passed while nothing waited counts for whoever waits next.
void Stream::State::arm() {
  if (deadline != TimePoint::max() && !timer.armed()) timer.arm(deadline);
}

void Stream::State::expire() {
  if (reading || writing || connecting || shaking) fail_waiting(Code::kDeadline, "no progress in time with");
}

bool Stream::ReadOp::await_ready() {
  TG_CHECK(state && !state->reading);
  return state->try_read(*this);
}

void Stream::ReadOp::await_suspend(std::coroutine_handle<> handle) {
  waiter = handle;
  state->reading = this;
  state->arm();
}

bool Stream::WriteOp::await_ready() {
  TG_CHECK(state && !state->writing);
  return state->refuse(result);
}

void Stream::WriteOp::await_suspend(std::coroutine_handle<> handle) {
  waiter = handle;
  state->writing = this;
  if (!std::exchange(state->send_is_due, true)) state->loop.send_later(state);
}

// An operation that was failed meanwhile is `writing` no more; its stream may be closed, but it is not yet
// destroyed.
bool Stream::State::send() {
  send_is_due = false;
  if (!writing) return false;
  if (try_write(*writing)) return true;
  arm();
  return false;
}

void Stream::State::sent() {
  if (writing) std::exchange(writing, nullptr)->waiter.resume();
}

Stream::Stream(std::unique_ptr<State> state) : state_(std::move(state)) {}
Stream::Stream() = default;
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&& other) noexcept {
  close();
  state_ = std::move(other.state_);
  return *this;
}
Stream::~Stream() { close(); }

void Stream::close() {
  if (!state_) return;
  TG_CHECK(!state_->reading && !state_->writing && !state_->shaking);
  if (state_->tls && !state_->aborted && !state_->resetting) state_->tls->say_goodbye();
  state_->shut();
  state_->timer.disarm();
  state_->hangup_callback = nullptr;
  Loop& loop = state_->loop;
  loop.retire(std::move(state_));
}

Stream Stream::adopt(Loop& loop, int fd, const Address& peer) {
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  auto state = std::make_unique<State>(loop, fd, peer);
  loop.add(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP, state.get());
  return Stream(std::move(state));
}

// A peer that went without a word (its machine lost power, the link was cut) is noticed within a minute, even
// on a connection where it is the peer's turn to speak: a watch. What was sent and is not acknowledged by
// then is given up earlier, so that it can be sent elsewhere; Linux alone would try for a quarter of an hour.
static void notice_silent_peers(int fd) {
  const int on = 1;
  const int idle_s = 30;
  const int interval_s = 10;
  const int probes = 3;
  const unsigned unacknowledged_ms = 30'000;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof unacknowledged_ms);
}

Task<Result<Stream>> Stream::connect(Loop& loop, Address peer, TimePoint deadline) {
  const int fd = ::socket(peer.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    co_return fail(Code::kExhausted, std::string("no socket to be had: ") + std::strerror(errno));
  }
  notice_silent_peers(fd);
  const int started = ::connect(fd, peer.raw(), peer.raw_size());
  const int error = errno;
  if (started < 0 && error != EINPROGRESS) {
    ::close(fd);
    co_return system_failure("connecting to", peer, error);
  }
  Stream stream = adopt(loop, fd, peer);
  if (started < 0) {
    stream.set_deadline(deadline);
    State* state = stream.state_.get();
    const Result<void> result = co_await ConnectOp{state};
    if (!result) co_return tl::unexpected(result.error());
    int socket_error = 0;
    socklen_t size = sizeof socket_error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &socket_error, &size) == 0 && socket_error != 0) {
      co_return system_failure("connecting to", peer, socket_error);
    }
  }
  stream.set_deadline(TimePoint::max());
  co_return stream;
}

Task<Result<void>> Stream::accept_tls(const TlsServer& server, TimePoint deadline) {
  State& s = *state_;
  s.tls = TlsSession::accept(server, {s.fd, s.may_read, s.may_write, s.hung_up, s.peer});
  return shake_hands(deadline);
}

Task<Result<void>> Stream::connect_tls(const TlsClient& client, std::string server_name, TimePoint deadline) {
  State& s = *state_;
  s.tls = TlsSession::connect(client, server_name, {s.fd, s.may_read, s.may_write, s.hung_up, s.peer});
  return shake_hands(deadline);
}

Task<Result<void>> Stream::shake_hands(TimePoint deadline) {
  Result<void> result{};
  if (state_->refuse(result)) co_return result;
  set_deadline(deadline);
  HandshakeOp shake{state_.get()};
  result = co_await shake;
  set_deadline(TimePoint::max());
  co_return result;
}

const TlsFacts* Stream::tls() const { return state_->tls ? &state_->tls->facts() : nullptr; }

const Address& Stream::peer() const { return state_->peer; }

Address Stream::local() const {
  sockaddr_storage raw{};
  socklen_t size = sizeof raw;
  getsockname(state_->fd, reinterpret_cast<sockaddr*>(&raw), &size);
  return Address::from(raw);
}

Stream::ReadOp Stream::read_some(char* data, std::size_t size) { return {state_.get(), data, size}; }
Stream::ReadOp Stream::read_into(BufferPool& pool, Buffer& buffer) {
  return {state_.get(), nullptr, 0, &pool, &buffer};
}
Stream::ReadOp Stream::readable() { return {state_.get(), nullptr, 0}; }
Stream::WriteOp Stream::write_all(iovec* pieces, std::size_t count) { return {state_.get(), pieces, count}; }
Stream::WriteOp Stream::write_all(std::string_view bytes) {
  return {state_.get(), nullptr, 1, {const_cast<char*>(bytes.data()), bytes.size()}};
}

bool Stream::on_hangup(std::function<void()> callback) {
  if (state_->hung_up) return false;
  state_->hangup_callback = std::move(callback);
  return true;
}

bool Stream::hung_up() const { return state_->hung_up; }

void Stream::set_deadline(TimePoint deadline) {
  state_->deadline = deadline;
  if (state_->timer.armed() || state_->reading || state_->writing || state_->shaking)
    state_->timer.arm(deadline);
}

void Stream::abort() {
  if (!state_) return;
  state_->aborted = true;
  state_->fail_waiting(Code::kCancelled, "gave up on");
}

void Stream::finish_writing() {
  if (state_->tls) {
    state_->tls->finish_writing();
  } else {
    ::shutdown(state_->fd, SHUT_WR);
  }
}

void Stream::reset_on_close() {
  state_->resetting = true;
  const linger at_once{1, 0};
  setsockopt(state_->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

}  // namespace tidegate::net
