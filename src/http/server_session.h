// One connection of a Server: reads requests, runs the handler, keeps time. Internal to the server.
//
//   idle --first byte--> head --> body --> handler --> idle ... --> closed
//
// A timer watches idle, head and body; it answers 408 beside the waiting read and then ends that read.
//
// Thread: the loop's own.

#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "http/server.h"
#include "http/write.h"

namespace tidegate::http {

// What all sessions of a server share.
struct SessionContext {
  net::Loop& loop;
  const Handler& handler;
  const ServerOptions& options;
  const Clock& clock;
  DateText date;
  bool draining = false;
};

class Session {
 public:
  // With `tls`, which must outlive the session, the connection begins with a handshake.
  Session(SessionContext& context, net::Stream stream, const net::TlsServer* tls);

  net::Task<void> run();

  // The server drains: an idle session ends now, another after its current request.
  void retire();
  // Ends whatever goes on.
  void cut();

 private:
  friend class Responder;
  enum class Phase { kIdle, kHead, kBody, kHandler, kClosing };

  net::Task<bool> serve_one();
  net::Task<Result<bool>> read_head();
  net::Task<Result<void>> read_body(std::string& body);
  net::Task<Result<std::size_t>> read_more();
  net::Task<bool> handle(Request& request);
  // Requires: `error` has a name. GCC 12 miscompiles aggregates that are made inside a co_await expression.
  net::Task<void> refuse(int status, const Error& error);
  net::Task<void> linger();
  net::Task<Result<void>> send(std::string_view first, std::string_view second = {},
                               std::string_view third = {});
  void enter(Phase phase, Duration limit);
  void expire();
  net::Task<void> answer_timeout();
  void client_left();

  SessionContext& context_;
  net::Stream stream_;
  const net::TlsServer* tls_;
  Parser parser_;
  net::Timer timer_;
  net::TaskGroup timeout_answer_;
  Phase phase_ = Phase::kIdle;
  bool timed_out_ = false;
  bool keep_alive_ = true;
  bool head_request_ = false;  // no content in the answer
  bool gone_ = false;
  std::function<void()> on_gone_;
  std::string in_;    // bytes not yet consumed
  std::string head_;  // the current request's head; its views point here
  std::string out_;
};

}  // namespace tidegate::http
