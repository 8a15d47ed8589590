#include "gateway/listener/session.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "gateway/dialect/answer.h"
#include "gateway/dialect/body_facts.h"
#include "gateway/listener/acceptor.h"
#include "http/write.h"

namespace tidegate::listener {
namespace {

// Room that must follow a head, so that the body's first pieces have somewhere to go while the head stays in
// place.
constexpr std::size_t kRoomAfterHead = 4096;

// How long, and for how much, a refused client may go on sending before the connection is cut. Closing at
// once would reset it, and the client might never see the answer.
constexpr Duration kLingerTime = std::chrono::seconds(2);
constexpr std::size_t kLingerBytes = 1024 * 1024;

int status_of(const Error& error) {
  if (error.code == Code::kDeadline) return 408;
  if (error.field == "expect") return 417;
  if (error.code == Code::kTooLarge)
    return error.field == "target" ? 414 : error.field == "header" ? 431 : 413;
  return 400;
}

}  // namespace

Session::Session(const Context& context, net::Stream stream)
    : context_(context),
      stream_(std::move(stream)),
      peer_ip_(stream_.peer().ip()),
      parser_(http::Parser::kRequest, context.limits.head) {}

// Whoever does not speak TLS here, or nothing for too long, is not answered.
net::Task<bool> Session::shake_hands() {
  const std::shared_ptr<net::TlsServer> server = context_.tls ? context_.tls() : nullptr;
  if (!server) co_return true;
  const TimePoint deadline = context_.loop.now() + context_.limits.head_timeout;
  const Result<void> shaken = co_await stream_.accept_tls(*server, deadline);
  co_return shaken.has_value();
}

net::Task<void> Session::run() {
  const bool open = co_await shake_hands();
  if (!open) {
    stream_.close();
    co_return;
  }
  while (co_await read_head() == Step::kRequest) {
    if (!take_body()) {
      const Step body = co_await read_body();
      if (body == Step::kClose) break;
    }
    stream_.set_deadline(TimePoint::max());
    // The client is told that this answer is the last.
    http::Head last;
    if (context_.draining) {
      last = parser_.message();
      last.keep_alive = false;
    }
    Request request{context_.draining ? last : parser_.message(), body_, peer_ip_, received_};
    request_ = &request;
    const bool again = co_await context_.exchange(*this, request);
    request_ = nullptr;
    on_cut_ = nullptr;
    if (!again) break;
    shift();
  }
  stream_.close();
}

void Session::end_when_idle() {
  if (idle_) stream_.abort();
}

void Session::cut() {
  stream_.abort();
  if (on_cut_) std::exchange(on_cut_, nullptr)();
}

Session::Moved Session::compact() {
  // Done before, or a copy of the head is in use, or the next request is here already and must stay.
  if (fitting_ || &request_->head != &parser_.message() || end_ - begin_ > message_bytes_) return {};
  fitting_ = std::make_unique_for_overwrite<char[]>(head_bytes_ + body_.size() + dialect::kBodyPadding);
  std::copy_n(buffer_.data() + begin_, head_bytes_, fitting_.get());
  std::copy_n(body_.data(), body_.size(), fitting_.get() + head_bytes_);
  const Moved moved{buffer_.data() + begin_, head_bytes_, fitting_.get()};
  body_ = {fitting_.get() + head_bytes_, body_.size()};
  buffer_.release();
  large_body_.release();
  begin_ = end_ = message_bytes_ = 0;
  parser_.reset();
  const Result<std::size_t> size = parser_.head(std::string_view(fitting_.get(), head_bytes_));
  TG_CHECK(size.has_value() && *size == head_bytes_);
  request_->body = body_;
  return moved;
}

// What follows the message that has just been answered is the beginning of the next.
void Session::shift() {
  begin_ += message_bytes_;
  large_body_.release();
  fitting_.reset();
  body_ = {};
  parser_.reset();
  if (begin_ == end_) {
    buffer_.release();
    begin_ = end_ = 0;
  }
}

net::Stream::ReadOp Session::more() {
  return stream_.read_some(buffer_.data() + end_, buffer_.size() - end_);
}

// Moves [begin_, end_) to the front of a buffer with room behind it. Views into the old place die. The parser
// bounds how much there can be.
void Session::make_room() {
  const std::size_t used = end_ - begin_;
  const std::size_t room = net::BufferPool::kSmallest;
  if (buffer_.size() >= used + room) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, used);
  } else {
    net::Buffer larger = context_.buffers.take(used + room);
    std::copy_n(buffer_.data() + begin_, used, larger.data());
    buffer_ = std::move(larger);
  }
  begin_ = 0;
  end_ = used;
}

net::Task<Session::Step> Session::read_head() {
  if (begin_ == end_) {
    idle_ = true;
    stream_.set_deadline(context_.loop.now() +
                         (context_.draining ? kDrainIdle : context_.limits.idle_timeout));
    const Result<std::size_t> got = co_await stream_.read_into(context_.buffers, buffer_);
    idle_ = false;
    if (!got || *got == 0) co_return Step::kClose;
    end_ = *got;
  }
  received_ = context_.loop.now();
  stream_.set_deadline(received_ + context_.limits.head_timeout);
  while (true) {
    if (begin_ < end_) {
      Result<std::size_t> size = parser_.head(std::string_view(buffer_.data() + begin_, end_ - begin_));
      if (!size) {
        co_await refuse(size.error(), status_of(size.error()));
        co_return Step::kClose;
      }
      if (*size > 0) {
        head_bytes_ = *size;
        break;
      }
    }
    if (buffer_.size() - end_ < kRoomAfterHead) make_room();
    const Result<std::size_t> got = co_await more();
    if (!got && got.error().code == Code::kDeadline && end_ > begin_) {
      const Error late{Code::kDeadline, "", "the request's head did not arrive in time"};
      co_await refuse(late, 408);
    }
    if (!got || *got == 0) co_return Step::kClose;
    end_ += *got;
  }
  if (buffer_.size() - (begin_ + head_bytes_) < kRoomAfterHead &&
      parser_.message().framing != http::Framing::kNone) {
    // The head's views must stay valid while the body is read behind it: move now, then read the head again.
    make_room();
    parser_.reset();
    if (!parser_.head(std::string_view(buffer_.data(), end_))) co_return Step::kClose;
  }
  co_return Step::kRequest;
}

// True if the body came whole behind its head, as a small one does, or there is none: the common case,
// without a wait.
bool Session::take_body() {
  const http::Head& head = parser_.message();
  const std::size_t start = begin_ + head_bytes_;
  message_bytes_ = head_bytes_;
  body_ = {buffer_.data(), 0};
  if (head.framing == http::Framing::kNone) return true;
  if (head.framing != http::Framing::kLength || head.content_length > context_.limits.body_bytes_max)
    return false;
  const std::size_t size = head.content_length;
  if (size > end_ - start || start + size + dialect::kBodyPadding > buffer_.size()) return false;
  message_bytes_ += size;
  body_ = {buffer_.data() + start, size};
  return true;
}

net::Task<Session::Step> Session::read_body() {
  const http::Head& head = parser_.message();
  const std::size_t already = end_ - begin_ - head_bytes_;
  if (head.framing == http::Framing::kLength && head.content_length > context_.limits.body_bytes_max) {
    const Error large{Code::kTooLarge, "body",
                      "of " + std::to_string(head.content_length) + " bytes is larger than the " +
                          std::to_string(context_.limits.body_bytes_max) + " that are allowed"};
    co_await refuse(large, 413);
    co_return Step::kClose;
  }
  if (head.expect_continue && already == 0) {
    const Result<void> sent = co_await stream_.write_all("HTTP/1.1 100 Continue\r\n\r\n");
    if (!sent) co_return Step::kClose;
  }
  body_began_ = context_.loop.now();
  if (head.framing == http::Framing::kLength) co_return co_await read_length_body(already);
  co_return co_await read_chunked_body();
}

// For the next piece, after `have` bytes.
void Session::allow_body_time(std::size_t have) {
  const Duration pause = context_.limits.body_timeout;
  const TimePoint whole = body_began_ + pause + std::chrono::seconds(have / kBodyBytesPerSecondMin);
  stream_.set_deadline(std::min(context_.loop.now() + pause, whole));
}

// Nothing more came: the client has left, or is told that it took too long.
net::Task<Session::Step> Session::body_ended(Result<std::size_t> got) {
  if (!got && got.error().code == Code::kDeadline) {
    const Error late{Code::kDeadline, "", "the request's body did not arrive in time"};
    co_await refuse(late, 408);
  }
  co_return Step::kClose;
}

net::Task<Session::Step> Session::read_length_body(std::size_t already) {
  const std::size_t need = parser_.message().content_length;
  const std::size_t start = begin_ + head_bytes_;
  if (already >= need || start + need + dialect::kBodyPadding <= buffer_.size()) {
    // Small: it stays behind its head. If more than one request was sent at once, padding may fall on the
    // next one's bytes or past the end; move only in the latter case.
    while (end_ - start < need) {
      allow_body_time(end_ - start);
      const Result<std::size_t> got = co_await more();
      if (!got || *got == 0) co_return co_await body_ended(got);
      end_ += *got;
    }
    message_bytes_ = head_bytes_ + need;
    body_ = {buffer_.data() + start, need};
    if (start + need + dialect::kBodyPadding <= buffer_.size()) co_return Step::kRequest;
  }
  const std::size_t copied = std::min(end_ - start, need);
  large_body_ = context_.buffers.take(need + dialect::kBodyPadding);
  std::copy_n(buffer_.data() + start, copied, large_body_.data());
  message_bytes_ = head_bytes_ + copied;
  std::size_t have = copied;
  while (have < need) {
    allow_body_time(have);
    const Result<std::size_t> got = co_await stream_.read_some(large_body_.data() + have, need - have);
    if (!got || *got == 0) co_return co_await body_ended(got);
    have += *got;
  }
  body_ = {large_body_.data(), need};
  co_return Step::kRequest;
}

net::Task<Session::Step> Session::read_chunked_body() {
  const std::size_t start = begin_ + head_bytes_;
  large_body_ = context_.buffers.take();
  std::size_t have = 0;
  std::size_t used = start;
  while (true) {
    const Result<http::Parser::Body> piece =
        parser_.body(std::string_view(buffer_.data() + used, end_ - used));
    if (!piece) {
      co_await refuse(piece.error(), status_of(piece.error()));
      co_return Step::kClose;
    }
    used += piece->consumed;
    if (have + piece->payload.size() > context_.limits.body_bytes_max) {
      const Error large{
          Code::kTooLarge, "body",
          "is larger than the " + std::to_string(context_.limits.body_bytes_max) + " bytes that are allowed"};
      co_await refuse(large, 413);
      co_return Step::kClose;
    }
    if (have + piece->payload.size() + dialect::kBodyPadding > large_body_.size()) {
      net::Buffer larger = context_.buffers.take(2 * (have + piece->payload.size() + dialect::kBodyPadding));
      std::copy_n(large_body_.data(), have, larger.data());
      large_body_ = std::move(larger);
    }
    std::copy_n(piece->payload.data(), piece->payload.size(), large_body_.data() + have);
    have += piece->payload.size();
    if (piece->done) break;
    if (used < end_ && piece->consumed > 0) continue;
    if (used == end_) used = end_ = start;
    if (end_ == buffer_.size()) co_return Step::kClose;  // framing alone fills the buffer: no honest client
    allow_body_time(have);
    const Result<std::size_t> got = co_await more();
    if (!got || *got == 0) co_return co_await body_ended(got);
    end_ += *got;
  }
  message_bytes_ = used - begin_;
  body_ = {large_body_.data(), have};
  co_return Step::kRequest;
}

net::Task<void> Session::refuse(Error error, int status) {
  context_.refused(status);
  const std::string body = dialect::error_body(error);
  std::string answer;
  http::append_status_line(answer, status);
  http::append_field(answer, "Content-Type", "application/json");
  http::append_field(answer, "Content-Length", body.size());
  http::append_field(answer, "Connection", "close");
  http::end_head(answer);
  answer += body;
  stream_.set_deadline(context_.loop.now() + kLingerTime);
  const Result<void> sent = co_await stream_.write_all(answer);
  if (!sent) co_return;
  stream_.finish_writing();
  std::size_t drained = 0;
  while (drained < kLingerBytes) {
    const Result<std::size_t> got = co_await stream_.read_some(buffer_.data(), buffer_.size());
    if (!got || *got == 0) co_return;
    drained += *got;
  }
}

}  // namespace tidegate::listener
