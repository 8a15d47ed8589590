// A connected TCP stream, and the listening socket that makes them.
//
//   Result<std::size_t> got = co_await stream.read_some(buffer, size);   // 0: the other side has finished
//   Result<void> sent = co_await stream.write_all(pieces, count);
//
// One coroutine may read and one may write at a time. A deadline ends both; abort() ends both from anywhere
// on the loop's thread. A failed stream stays failed. Operations try the system call first and wait only if
// it would block; while one waits, the loop itself does the call when the kernel says so, so each costs one
// resume. What was read for one that is aborted before it goes on is lost.
//
// Thread: the loop's own.
// Errors: kDeadline, kCancelled (abort), kUnavailable (refused, reset, unreachable), with the peer's address.

#pragma once

#include <sys/uio.h>

#include <coroutine>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/address.h"
#include "net/buffer_pool.h"
#include "net/loop.h"
#include "net/task.h"

namespace tidegate::net {

class TlsClient;
class TlsServer;
struct TlsFacts;

class Stream {
 public:
  Stream();
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;
  ~Stream();

  static Task<Result<Stream>> connect(Loop& loop, Address peer, TimePoint deadline);

  // Takes the descriptor of a connected, non-blocking socket over.
  static Stream adopt(Loop& loop, int fd, const Address& peer);

  // Speaks TLS from here on (tls.h), as the one who was called or the one who calls. `server_name` is what
  // the server's certificate must name: a host or an IP address. Requires: nothing waits, nothing was read or
  // written. After an error: close.
  Task<Result<void>> accept_tls(const TlsServer& server, TimePoint deadline);
  Task<Result<void>> connect_tls(const TlsClient& client, std::string server_name, TimePoint deadline);

  // What the handshake agreed on; null without TLS.
  const TlsFacts* tls() const;

  bool open() const { return state_ != nullptr; }
  const Address& peer() const;
  Address local() const;

  struct ReadOp;
  struct WriteOp;

  // Up to `size` bytes. 0 at the end of the stream. Requires: size > 0.
  ReadOp read_some(char* data, std::size_t size);

  // The same, but takes a buffer of the smallest size only when there is something to read (or the end):
  // how an idle connection waits. Requires: `buffer` is empty; it and the pool outlive the wait.
  ReadOp read_into(BufferPool& pool, Buffer& buffer);

  // Waits until there is something to read (or the end), without holding a buffer.
  ReadOp readable();

  // Everything in `pieces`, which is changed along the way.
  WriteOp write_all(iovec* pieces, std::size_t count);
  WriteOp write_all(std::string_view bytes);

  // Calls back once when the other side stops sending or the connection breaks, from the loop and never from
  // inside another call: for noticing a client that leaves while its answer is still being made. A null
  // callback takes it back. False, and no call will come, if that has already happened.
  [[nodiscard]] bool on_hangup(std::function<void()> callback);
  bool hung_up() const;

  // From here on, waiting past this time fails with kDeadline. TimePoint::max() waits for ever. After a write
  // that failed so, nobody knows how much the peer got: close.
  void set_deadline(TimePoint deadline);

  // Fails what waits now and whatever comes later with kCancelled.
  void abort();

  // No more will be sent; reading goes on.
  void finish_writing();
  // On close the peer gets a reset: for requests that must not seem complete.
  void reset_on_close();
  void close();

 private:
  struct State;
  struct ConnectOp;
  struct HandshakeOp;
  Task<Result<void>> shake_hands(TimePoint deadline);
  explicit Stream(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct Stream::ReadOp {
  State* state;
  char* data;
  std::size_t size;
  BufferPool* pool = nullptr;  // of read_into()
  Buffer* buffer = nullptr;
  Result<std::size_t> result = 0;
  std::coroutine_handle<> waiter = nullptr;

  bool await_ready();
  void await_suspend(std::coroutine_handle<> handle);
  Result<std::size_t> await_resume() { return std::move(result); }
};

struct Stream::WriteOp {
  State* state;
  iovec* pieces;
  std::size_t count;
  iovec single{};  // for the form with one piece; `pieces` is null then
  Result<void> result{};
  std::coroutine_handle<> waiter = nullptr;

  bool await_ready();
  void await_suspend(std::coroutine_handle<> handle);
  Result<void> await_resume() { return std::move(result); }
};

struct ListenOptions {
  bool reuse_port = false;  // several loops accept on the same address; the kernel spreads connections
  int backlog = 4096;
};

class Listener {
 public:
  Listener();
  Listener(Listener&&) noexcept;
  Listener& operator=(Listener&&) noexcept;
  ~Listener();

  // Port 0 takes a free one: see address(). Errors: kConflict if the address is in use, kForbidden if not
  // allowed, kInvalid if it is none of this host's.
  static Result<Listener> bind(Loop& loop, const Address& address, ListenOptions options = {});

  const Address& address() const;

  struct AcceptOp;
  // Errors: kCancelled after abort(); kExhausted when descriptors have run out (wait a moment, then go on).
  AcceptOp accept();
  void abort();

 private:
  struct State;
  explicit Listener(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct Listener::AcceptOp {
  State* state;
  Result<Stream> result = Stream();
  std::coroutine_handle<> waiter = nullptr;

  bool await_ready();
  void await_suspend(std::coroutine_handle<> handle);
  Result<Stream> await_resume() { return std::move(result); }
};

}  // namespace tidegate::net
