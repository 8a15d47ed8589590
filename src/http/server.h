// An HTTP/1.1 server over net's coroutines, for everything that is not the gateway's hot path: statistics,
// health, the engine's OpenAI surface, the API server.
//
//   Server server(loop, [](Request& request, Responder& responder) -> net::Task<void> {
//     if (request.path == "/healthz") {
//       co_await responder.respond(200, "text/plain", "ok");
//       co_return;
//     }
//     responder.header("Cache-Control", "no-cache");
//     co_await responder.start(200, "text/event-stream");
//     while (more) {
//       if (!co_await responder.write(event)) co_return;  // the client left
//     }
//     co_await responder.finish();
//   }, options);
//   const Result<net::Address> bound = server.listen(address);   // port 0 takes a free one
//   ...
//   co_await server.drain(std::chrono::seconds(10));             // before the server is destroyed
//
// The server keeps connections alive, reads pipelined requests in turn, answers Expect: 100-continue, drops
// the body of an answer to HEAD, and answers what breaks HTTP's rules or the limits by itself: 400, 408, 413,
// 414, 417, 431, 501, 503. A handler that returns without an answer gives a 500; one that starts a stream and
// does not finish it cuts the connection, so that no client takes half an answer for a whole one.
//
// Thread: the loop's own. A Request and a Responder live until the handler returns.

#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "http/h1.h"
#include "http/head.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/task.h"
#include "net/tls.h"

namespace tidegate::http {

class Session;

struct Request {
  std::string_view method;
  std::string_view target;  // as sent
  std::string_view path;    // as sent, without the query; see http/target.h for what "as sent" may hold
  std::string_view query;   // without the '?'
  const Head* head = nullptr;
  std::string body;  // decoded; the handler may take it
  net::Address peer;
  const net::TlsFacts* tls = nullptr;  // null: plain

  std::optional<std::string_view> header(std::string_view name) const { return head->find(name); }
};

// How a handler answers: respond() once, or start(), write() any number of times, finish(). Every call gives
// an error once the client cannot be reached; what is handed in as a view must live until the call has been
// awaited.
class Responder {
 public:
  explicit Responder(Session& session) : session_(session) {}

  // Adds a field to the head. Before respond() or start(); they write Date, Content-Type, Content-Length,
  // Transfer-Encoding and Connection themselves. Requires: name is a token.
  void header(std::string_view name, std::string_view value);

  // The whole answer. An empty content type leaves the field out.
  net::Task<Result<void>> respond(int status, std::string_view content_type, std::string body);

  // An answer of unknown length, chunked (or until the connection closes, for HTTP/1.0). The head is sent at
  // once.
  net::Task<Result<void>> start(int status, std::string_view content_type);
  // Returns when the kernel has taken the bytes, which is how a slow client slows the handler down.
  // Errors: kCancelled if the client has left, kDeadline if it takes nothing for write_timeout.
  net::Task<Result<void>> write(std::string_view bytes);
  net::Task<Result<void>> finish();

  // Answers 101: from now on the connection belongs to the handler, until finish(). Bytes come from read_raw() and go
  // with write(), one of each at a time.
  net::Task<Result<void>> upgrade(std::string_view protocol);
  // What has arrived, waiting for the first of it; empty at the end.
  net::Task<Result<std::string>> read_raw();
  // Ends a read_raw() or write() that waits.
  void abort();

  bool started() const { return started_; }
  bool finished() const { return finished_; }

  // True once the client has closed its side or the connection has broken. A client that only stops sending
  // counts too.
  bool client_gone() const;
  // Calls back once, from the loop, when that happens while the handler runs. False, and no call will come,
  // if it already has.
  [[nodiscard]] bool on_client_gone(std::function<void()> callback);

 private:
  friend class Session;
  void begin_head(int status, std::string_view content_type);
  void end_head_with_connection();

  Session& session_;
  std::string fields_;  // added by header(), serialised
  enum class Form { kNone, kChunked, kUntilClose };
  Form form_ = Form::kNone;  // of the content that write() sends
  bool started_ = false;
  bool finished_ = false;
};

using Handler = std::function<net::Task<void>(Request&, Responder&)>;

struct ServerOptions {
  HeadLimits head;
  std::size_t body_bytes_max = 8 * 1024 * 1024;
  std::size_t connections_max = 1024;  // more are answered 503 and closed
  Duration header_timeout =
      std::chrono::seconds(10);  // from a request's first byte (or the connection) to its whole head
  Duration body_timeout = std::chrono::seconds(60);   // for the whole body
  Duration idle_timeout = std::chrono::seconds(75);   // between requests
  Duration write_timeout = std::chrono::seconds(30);  // without progress
  const Clock* clock = nullptr;                       // for Date; the system's if null

  // The body of an answer that the server gives by itself, as JSON; OpenAI's error shape if empty.
  std::function<std::string(int status, const Error& error)> error_body;
};

class Server {
 public:
  Server(net::Loop& loop, Handler handler, ServerOptions options = {});
  // Requires: drain() has returned, or listen() was never called with success.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Accepts from now on; may be called for several addresses. Gives the address with the port it got. With
  // `tls`, connections begin with a handshake, within header_timeout.
  Result<net::Address> listen(const net::Address& address, net::ListenOptions options = {},
                              std::shared_ptr<const net::TlsServer> tls = nullptr);

  // Stops accepting, closes idle connections, lets running requests finish and closes theirs. What still runs
  // after `grace` is cut and its handlers told that the client is gone. Returns when nothing is left.
  net::Task<void> drain(Duration grace);

  std::size_t connections() const;

 private:
  friend class Session;
  struct State;
  std::unique_ptr<State> state_;
};

// {"error":{"message":...,"type":...,"param":...,"code":...}}
std::string openai_error_body(int status, const Error& error);

}  // namespace tidegate::http
