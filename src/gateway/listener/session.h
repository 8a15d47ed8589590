// One client connection: bytes in, requests out, one after another.
//
// A session reads a request whole (an inference request is worth nothing before its body has been read),
// within limits and deadlines, hands it to the exchange, and goes on with the next if both sides want to keep
// the connection. What cannot be read is answered here, with OpenAI's error object, and the connection ends.
//
// While it waits for a request a session holds no buffer.
//
// Thread: the worker's own. Errors on the wire: 400, 408, 413, 414, 417, 431.

#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "http/h1.h"
#include "net/buffer_pool.h"
#include "net/stream.h"
#include "net/task.h"
#include "net/tls.h"

namespace tidegate::listener {

// A body may pause, but a byte now and then does not hold a connection and its memory for days.
inline constexpr std::size_t kBodyBytesPerSecondMin = 1024;

struct Limits {
  http::HeadLimits head;
  std::size_t body_bytes_max = 32 * 1024 * 1024;
  Duration head_timeout =
      std::chrono::seconds(10);  // from the first byte of a request to the end of its head
  // Between two pieces of a body, and beyond what the whole takes at kBodyBytesPerSecondMin.
  Duration body_timeout = std::chrono::seconds(30);
  Duration idle_timeout = std::chrono::seconds(120);  // between two requests
};

// A request that was read whole. Its views live until the exchange returns.
struct Request {
  const http::Head& head;
  std::string_view body;  // at least dialect::kBodyPadding readable bytes follow
  std::string_view peer_ip;
  TimePoint received;  // when its first byte was there
};

class Session;

// Answers the request on session.stream(). True if the connection may carry another request.
using Exchange = std::function<net::Task<bool>(Session&, const Request&)>;

// A request that never became one, for the counters: the status it was answered with.
using Refused = std::function<void(int status)>;

// What new connections are shown; null where they speak plain text.
using Tls = std::function<std::shared_ptr<net::TlsServer>()>;

struct Context {
  net::Loop& loop;
  net::BufferPool& buffers;
  const Limits& limits;
  const Exchange& exchange;
  const Refused& refused;
  const bool& draining;  // no further request after this one
  const Tls& tls;        // empty: plain text
};

class Session {
 public:
  Session(const Context& context, net::Stream stream);

  // Serves the connection to its end.
  net::Task<void> run();

  net::Stream& stream() { return stream_; }

  // For a request that will wait: leaves it only the memory it needs. Its head and body are where they were
  // moved to; whoever holds other views into the head moves them too.
  struct Moved {
    const char* from = nullptr;
    std::size_t size = 0;
    const char* to = nullptr;
  };
  Moved compact();

  // Ends the connection now, and tells whoever answers a request that its client has gone.
  void cut();
  void on_cut(std::function<void()> callback) { on_cut_ = std::move(callback); }

  // Ends the wait for a next request, for draining. A request under way goes on.
  void end_when_idle();

 private:
  enum class Step { kRequest, kClose };

  net::Task<bool> shake_hands();
  net::Task<Step> read_head();
  bool take_body();
  net::Task<Step> read_body();
  net::Task<Step> read_length_body(std::size_t already);
  net::Task<Step> read_chunked_body();
  void allow_body_time(std::size_t have);
  net::Task<Step> body_ended(Result<std::size_t> got);
  net::Task<void> refuse(Error error, int status);
  net::Stream::ReadOp more();
  void make_room();
  void shift();

  const Context& context_;
  net::Stream stream_;
  std::string peer_ip_;
  http::Parser parser_;

  // [begin_, end_) of buffer_ is read and not yet used; a request's head starts at begin_.
  net::Buffer buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t head_bytes_ = 0;
  std::size_t message_bytes_ = 0;  // of the request under way, in buffer_

  net::Buffer large_body_;
  std::unique_ptr<char[]> fitting_;  // head and body of a request that waits, instead of the buffers
  std::function<void()> on_cut_;
  std::string_view body_;
  Request* request_ = nullptr;  // under way
  TimePoint received_;
  TimePoint body_began_;
  bool idle_ = true;
};

}  // namespace tidegate::listener
