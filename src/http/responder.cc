#include <utility>

#include "base/check.h"
#include "http/grammar.h"
#include "http/server_session.h"

namespace tidegate::http {
namespace {

bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

}  // namespace

void Responder::header(std::string_view name, std::string_view value) {
  TG_CHECK(is_token(name) && !started_);
  append_field(fields_, name, value);
}

void Responder::begin_head(int status, std::string_view content_type) {
  TG_CHECK(!started_);
  started_ = true;
  if (session_.context_.draining) session_.keep_alive_ = false;
  std::string& out = session_.out_;
  out.clear();
  append_status_line(out, status);
  append_field(out, "Date", session_.context_.date.text(session_.context_.clock.wall()));
  if (!content_type.empty()) append_field(out, "Content-Type", content_type);
  out.append(fields_);
}

void Responder::end_head_with_connection() {
  std::string& out = session_.out_;
  if (!session_.keep_alive_) {
    append_field(out, "Connection", "close");
  } else if (session_.parser_.message().minor_version == 0) {
    append_field(out, "Connection", "keep-alive");
  }
  end_head(out);
}

net::Task<Result<void>> Responder::respond(int status, std::string_view content_type, std::string body) {
  begin_head(status, content_type);
  finished_ = true;
  if (!has_no_body(status)) append_field(session_.out_, "Content-Length", body.size());
  end_head_with_connection();
  const bool bare = session_.head_request_ || has_no_body(status);
  Result<void> sent =
      co_await session_.send(session_.out_, bare ? std::string_view{} : std::string_view(body));
  co_return sent;
}

net::Task<Result<void>> Responder::start(int status, std::string_view content_type) {
  begin_head(status, content_type);
  if (!has_no_body(status)) {
    form_ = session_.parser_.message().minor_version == 1 ? Form::kChunked : Form::kUntilClose;
    if (form_ == Form::kChunked) append_field(session_.out_, "Transfer-Encoding", "chunked");
    if (form_ == Form::kUntilClose) session_.keep_alive_ = false;
  }
  if (session_.head_request_) form_ = Form::kNone;
  end_head_with_connection();
  Result<void> sent = co_await session_.send(session_.out_);
  co_return sent;
}

net::Task<Result<void>> Responder::write(std::string_view bytes) {
  TG_CHECK(started_ && !finished_);
  if (session_.gone_) co_return fail(Code::kCancelled, "client has left");
  if (bytes.empty() || form_ == Form::kNone) co_return Result<void>{};
  if (form_ == Form::kUntilClose) {
    Result<void> sent = co_await session_.send(bytes);
    co_return sent;
  }
  const ChunkLine line(bytes.size());
  Result<void> sent = co_await session_.send(line.text(), bytes, kChunkEnd);
  co_return sent;
}

net::Task<Result<void>> Responder::finish() {
  TG_CHECK(started_ && !finished_);
  finished_ = true;
  if (form_ != Form::kChunked) co_return Result<void>{};
  Result<void> sent = co_await session_.send(kLastChunk);
  co_return sent;
}

net::Task<Result<void>> Responder::upgrade(std::string_view protocol) {
  begin_head(101, {});
  session_.keep_alive_ = false;
  form_ = Form::kUntilClose;
  append_field(session_.out_, "Connection", "Upgrade");
  append_field(session_.out_, "Upgrade", protocol);
  end_head(session_.out_);
  Result<void> sent = co_await session_.send(session_.out_);
  co_return sent;
}

net::Task<Result<std::string>> Responder::read_raw() {
  if (session_.in_.empty()) {
    const Result<std::size_t> got = co_await session_.read_more();
    if (!got) co_return tl::unexpected(got.error());
  }
  co_return std::exchange(session_.in_, {});
}

void Responder::abort() { session_.stream_.abort(); }

bool Responder::client_gone() const { return session_.gone_; }

bool Responder::on_client_gone(std::function<void()> callback) {
  if (session_.gone_) return false;
  session_.on_gone_ = std::move(callback);
  return true;
}

}  // namespace tidegate::http
