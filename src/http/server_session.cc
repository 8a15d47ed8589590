#include "http/server_session.h"

#include <algorithm>
#include <utility>

#include "http/target.h"

namespace tidegate::http {
namespace {

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// How long, and for how many bytes, a refused client may go on sending before its connection is cut. Closing
// at once would reset it, and the reset could overtake the answer.
constexpr Duration kLingerTime = std::chrono::seconds(1);
// Whoever still sends a body that was refused must have sent it before it reads why.
constexpr std::size_t kLingerBytesMax = 64 * 1024 * 1024;

}  // namespace

Session::Session(SessionContext& context, net::Stream stream, const net::TlsServer* tls)
    : context_(context),
      stream_(std::move(stream)),
      tls_(tls),
      parser_(Parser::kRequest, context.options.head),
      timer_(context.loop, [this] { expire(); }) {}

net::Task<void> Session::run() {
  if (tls_) {
    const Result<void> shaken =
        co_await stream_.accept_tls(*tls_, context_.loop.now() + context_.options.header_timeout);
    if (!shaken) {
      stream_.close();
      co_return;
    }
  }
  enter(Phase::kIdle, context_.options.header_timeout);
  while (true) {
    const bool more = co_await serve_one();
    if (!more || context_.draining) break;
    parser_.reset();
    enter(Phase::kIdle, context_.options.idle_timeout);
  }
  timer_.disarm();
  phase_ = Phase::kClosing;
  co_await timeout_answer_.wait_empty();
  stream_.close();
}

// Reads and answers one request. False if there can be no other.
net::Task<bool> Session::serve_one() {
  head_request_ = false;
  const Result<bool> head = co_await read_head();
  if (timed_out_) co_return false;
  if (!head) {
    co_await refuse(refusal_status(head.error()), head.error());
    co_return false;
  }
  if (!*head) co_return false;

  const Head& message = parser_.message();
  keep_alive_ = message.keep_alive;
  head_request_ = message.method == "HEAD";
  if (message.method == "CONNECT" || message.method == "TRACE") {
    const Error error{Code::kInvalid, "method", "is not served here"};
    co_await refuse(501, error);
    co_return false;
  }
  const Result<Target> target = split_target(message.target);
  if (!target) {
    co_await refuse(400, target.error());
    co_return false;
  }
  Request request{message.method, message.target, target->path, target->query, &message, {},
                  stream_.peer(), stream_.tls()};
  const Result<void> body = co_await read_body(request.body);
  if (timed_out_) co_return false;
  if (!body) {
    // A body that merely ended early has nobody left to be told.
    if (body.error().code != Code::kCancelled) co_await refuse(refusal_status(body.error()), body.error());
    co_return false;
  }
  co_return co_await handle(request);
}

// Appends what arrives next to in_. 0 at the end of the stream.
net::Task<Result<std::size_t>> Session::read_more() {
  const std::size_t before = in_.size();
  in_.resize(before + kReadBytes);
  const Result<std::size_t> got = co_await stream_.read_some(in_.data() + before, kReadBytes);
  in_.resize(before + got.value_or(0));
  co_return got;
}

// False if the connection ended between requests or broke: there is nobody to answer.
net::Task<Result<bool>> Session::read_head() {
  while (true) {
    if (!in_.empty()) {
      if (phase_ == Phase::kIdle) enter(Phase::kHead, context_.options.header_timeout);
      const Result<std::size_t> size = parser_.head(in_);
      if (!size) co_return tl::unexpected(size.error());
      if (*size > 0) {
        // The views of the head must stay while in_ takes the body.
        std::string rest = in_.substr(*size);
        head_ = std::exchange(in_, std::move(rest));
        co_return true;
      }
    } else {
      // Idle connections hold no buffer.
      const Result<std::size_t> ready = co_await stream_.readable();
      if (!ready || timed_out_) co_return false;
    }
    const Result<std::size_t> got = co_await read_more();
    if (!got || *got == 0 || timed_out_) co_return false;
  }
}

net::Task<Result<void>> Session::read_body(std::string& body) {
  const Head& head = parser_.message();
  const std::size_t limit = context_.options.body_bytes_max;
  const auto too_large = [limit] {
    return fail(Code::kTooLarge, "is larger than " + std::to_string(limit) + " bytes", "body");
  };
  if (head.framing == Framing::kLength && head.content_length > limit) co_return too_large();
  if (head.framing != Framing::kNone) enter(Phase::kBody, context_.options.body_timeout);
  if (head.expect_continue && in_.empty()) {
    const Result<void> sent = co_await send(kContinue);
    if (!sent) co_return fail(Code::kCancelled, "client left");
  }
  while (true) {
    std::size_t at = 0;
    while (true) {
      const Result<Parser::Body> piece = parser_.body(std::string_view(in_).substr(at));
      if (!piece) co_return tl::unexpected(piece.error());
      at += piece->consumed;
      if (body.size() + piece->payload.size() > limit) co_return too_large();
      body.append(piece->payload);
      if (piece->done) {
        in_.erase(0, at);
        co_return Result<void>{};
      }
      if (piece->consumed == 0 || at == in_.size()) break;
    }
    in_.erase(0, at);
    const Result<std::size_t> got = co_await read_more();
    if (!got || *got == 0 || timed_out_) co_return fail(Code::kCancelled, "body ended early", "body");
  }
}

// Runs the handler. False if the connection cannot be used again.
net::Task<bool> Session::handle(Request& request) {
  timer_.disarm();
  phase_ = Phase::kHandler;
  gone_ = gone_ || !stream_.on_hangup([this] { client_left(); });
  Responder responder(*this);
  co_await context_.handler(request, responder);
  on_gone_ = nullptr;
  if (!gone_ && !stream_.on_hangup(nullptr)) gone_ = true;

  if (!responder.started()) {
    const Error error{Code::kInternal, "", "no answer was made for this request"};
    co_await refuse(500, error);
    co_return false;
  }
  if (!responder.finished()) {
    stream_.reset_on_close();
    co_return false;
  }
  co_return keep_alive_ && !gone_;
}

// Answers by the server's own account and ends the connection.
net::Task<void> Session::refuse(int status, const Error& error) {
  timer_.disarm();
  phase_ = Phase::kHandler;
  keep_alive_ = false;
  Responder responder(*this);
  const auto& make_body = context_.options.error_body;
  std::string body = make_body ? make_body(status, error) : openai_error_body(status, error);
  const Result<void> sent = co_await responder.respond(status, "application/json", std::move(body));
  if (sent) co_await linger();
}

net::Task<void> Session::linger() {
  stream_.finish_writing();
  stream_.set_deadline(context_.loop.now() + kLingerTime);
  phase_ = Phase::kClosing;
  in_.clear();
  for (std::size_t total = 0; total < kLingerBytesMax;) {
    const Result<std::size_t> got = co_await read_more();
    if (!got || *got == 0) break;
    total += *got;
    in_.clear();
  }
}

net::Task<Result<void>> Session::send(std::string_view first, std::string_view second,
                                      std::string_view third) {
  const auto piece = [](std::string_view bytes) {
    return iovec{const_cast<char*>(bytes.data()), bytes.size()};
  };
  iovec pieces[3] = {piece(first), piece(second), piece(third)};
  stream_.set_deadline(context_.loop.now() + context_.options.write_timeout);
  Result<void> sent = co_await stream_.write_all(pieces, 3);
  stream_.set_deadline(TimePoint::max());
  co_return sent;
}

void Session::enter(Phase phase, Duration limit) {
  phase_ = phase;
  timer_.arm(context_.loop.now() + limit);
}

void Session::expire() {
  timed_out_ = true;
  if (phase_ == Phase::kIdle) {
    stream_.abort();
  } else {
    timeout_answer_.spawn(answer_timeout());
  }
}

// Runs beside the read that waits for the client, and ends it.
net::Task<void> Session::answer_timeout() {
  keep_alive_ = false;
  const Error error{Code::kDeadline, phase_ == Phase::kBody ? "body" : "header", "did not arrive in time"};
  const auto& make_body = context_.options.error_body;
  Responder responder(*this);
  std::string body = make_body ? make_body(408, error) : openai_error_body(408, error);
  (void)co_await responder.respond(408, "application/json", std::move(body));
  stream_.abort();
}

void Session::client_left() {
  gone_ = true;
  if (const auto callback = std::exchange(on_gone_, nullptr)) callback();
}

void Session::retire() {
  if (phase_ == Phase::kIdle) stream_.abort();
}

void Session::cut() {
  stream_.abort();
  if (!gone_) client_left();
}

}  // namespace tidegate::http
