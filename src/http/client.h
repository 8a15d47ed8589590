// An HTTP/1.1 client over net's coroutines: metric scrapes, probes, tests, calls to an API server.
//
//   Client client(loop);
//   ClientRequest request{.target = "/metrics"};
//   const Result<Response> answer = co_await client.fetch(address, request, loop.now() +
//   std::chrono::seconds(1));
//
// A stream (server-sent events, a watch):
//
//   Result<Exchange> exchange = co_await client.open(address, request, deadline);
//   if (exchange->head().status == 200) {
//     while (true) {
//       const Result<std::string_view> piece = co_await exchange->read(deadline);
//       if (!piece || piece->empty()) break;   // empty: the end
//     }
//   }
//
// Connections stay open and are used again, a few per address. A request that failed on a connection that had
// been idle is sent once more on a new one if repeating it does no harm (GET, HEAD, PUT, DELETE, OPTIONS),
// because the other side may have closed it at that moment.
//
// Give a request a name, as above: GCC 12 miscompiles aggregates that are made inside a co_await expression.
//
// Thread: the loop's own. The client must outlive what it returns and what waits on it.
// Errors: kUnavailable (refused, reset, ended early), kUnauthorized (TLS: the certificates), kDeadline,
// kTooLarge (the answer's head or body), kInvalid (the answer is not HTTP/1.1), kCancelled (Exchange::abort).

#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "http/h1.h"
#include "http/head.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/task.h"
#include "net/tls.h"

namespace tidegate::http {

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";
  // Host is added if it is not here; Content-Length is added where there is a body or POST, PUT or PATCH.
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
};

struct Response {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  // The first field of that name, compared without case.
  std::optional<std::string_view> header(std::string_view name) const;
};

struct ClientOptions {
  HeadLimits head;
  std::size_t body_bytes_max = 64 * 1024 * 1024;  // of fetch(); open() has no limit of its own
  std::size_t idle_per_address_max = 4;
  Duration idle_time_max = std::chrono::seconds(30);

  // With `tls` every connection is one of TLS, to a server whose certificate names `server_name` (empty: the
  // address); Host says that name as well.
  std::shared_ptr<const net::TlsClient> tls = nullptr;
  std::string server_name = {};
};

class Client;

// One request whose answer is being read. Destroying it early closes the connection, which tells the other
// side to stop.
class Exchange {
 public:
  Exchange(Exchange&&) noexcept;
  Exchange& operator=(Exchange&&) noexcept;
  ~Exchange();

  const Head& head() const;

  // The next content as it arrives, valid until the next call; empty at the end of a complete body.
  net::Task<Result<std::string_view>> read(TimePoint deadline);

  // Makes a waiting read() and every later one fail with kCancelled.
  void abort();

 private:
  friend class Client;
  struct Connection;
  explicit Exchange(std::unique_ptr<Connection> connection);
  std::unique_ptr<Connection> connection_;
};

class Client {
 public:
  explicit Client(net::Loop& loop, ClientOptions options = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // The whole answer. `request` must live until this has been awaited.
  net::Task<Result<Response>> fetch(net::Address address, const ClientRequest& request, TimePoint deadline);

  // Sends the request and reads the head of the answer (1xx are skipped).
  net::Task<Result<Exchange>> open(net::Address address, const ClientRequest& request, TimePoint deadline);

  std::size_t idle_connections() const;
  // Closes what is idle.
  void close_idle();
  // Ends what is under way with kCancelled, and everything that begins later. A connection that is still
  // being made ends at its deadline.
  void abort_all();

 private:
  friend class Exchange;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidegate::http
