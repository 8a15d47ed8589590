// The answer's way back: head, body, count.
//
// Bytes go on as they come: the next read from the endpoint waits until the client has taken what was read
// before, so a slow client slows its engine and nobody else. Bodies are framed anew (chunk extensions and
// trailers end here); of an event stream each whole event goes on as it came, less what only we asked for.
//
// When an endpoint dies after the first byte, an event stream ends with an error event, which is the only
// place left to say so; any other body is cut off, so that it cannot pass for complete.

#include <array>
#include <utility>

#include "base/ascii.h"
#include "gateway/dialect/answer.h"
#include "gateway/event_relay.h"
#include "gateway/request_head.h"
#include "gateway/session_affinity.h"
#include "gateway/walk.h"

namespace tidegate::gateway {
namespace {

constexpr std::size_t kPiecesMax = 60;

// Most heads fit, so that one allocation does.
constexpr std::size_t kHeadReserve = 512;

enum class End { kDone, kClientLeft, kEndpointDied, kTooSlow };

// Writes one answer's head and body to the client, in the framing that both sides understand.
class Sink {
 public:
  Sink(Walk& walk, http::Framing framing) : walk_(walk), framing_(framing), head_(walk.tools.scratches) {}

  std::string& head() { return *head_; }
  // The client has a head already.
  void skip_head() { head_sent_ = true; }

  // Sends what is in `parts`, after the head if that has not gone yet. `last` ends the body.
  net::Task<bool> send(const std::vector<std::string_view>& parts, bool last) {
    std::size_t next = 0;
    do {
      std::array<iovec, kPiecesMax + 4> out;
      std::size_t count = 0;
      const auto add = [&](std::string_view bytes) {
        if (!bytes.empty()) out[count++] = {const_cast<char*>(bytes.data()), bytes.size()};
      };
      if (!head_sent_) add(*head_);
      const std::size_t end = std::min(parts.size(), next + kPiecesMax);
      std::size_t size = 0;
      for (std::size_t i = next; i < end; ++i) size += parts[i].size();
      const http::ChunkLine line(size == 0 ? 1 : size);
      const bool chunked = framing_ == http::Framing::kChunked;
      if (chunked && size > 0) add(line.text());
      for (std::size_t i = next; i < end; ++i) add(parts[i]);
      if (chunked && size > 0) add(last && end == parts.size() ? kChunkEndAndLast : http::kChunkEnd);
      if (chunked && size == 0 && last) add(http::kLastChunk);
      next = end;
      head_sent_ = true;
      walk_.bytes_sent += size;
      if (count == 0) continue;
      walk_.session.stream().set_deadline(walk_.tools.loop.now() + walk_.tools.config.stream_idle_timeout);
      const Result<void> sent = co_await walk_.session.stream().write_all(out.data(), count);
      if (!sent) co_return false;
    } while (next < parts.size());
    co_return true;
  }

  bool head_sent() const { return head_sent_; }

 private:
  static constexpr std::string_view kChunkEndAndLast = "\r\n0\r\n\r\n";

  Walk& walk_;
  http::Framing framing_;
  Scratch head_;
  bool head_sent_ = false;
};

bool is_event_stream(const http::Head& head) {
  constexpr std::string_view kType = "text/event-stream";
  const auto type = head.find(http::Field::kContentType);
  return type && type->size() >= kType.size() &&
         ascii::equals_ignoring_case(type->substr(0, kType.size()), kType);
}

bool has_body(const Walk& walk, const http::Head& head) {
  return walk.request.head.method != "HEAD" && head.status != 204 && head.status != 304;
}

http::Framing framing_for(const Walk& walk, const Answer& answer, bool events) {
  const http::Head& head = *answer.head;
  if (!has_body(walk, head)) return http::Framing::kNone;
  if (!events && head.framing == http::Framing::kLength) return http::Framing::kLength;
  if (!events && head.framing == http::Framing::kNone) return http::Framing::kLength;
  return walk.request.head.minor_version == 0 ? http::Framing::kUntilClose : http::Framing::kChunked;
}

void append_head(std::string& out, Walk& walk, const Answer& answer, http::Framing framing) {
  const http::Head& head = *answer.head;
  const http::HopFields hop(head);
  const route::HeaderEdits* edits = walk.filters ? &walk.filters->response : nullptr;
  out.reserve(kHeadReserve);
  http::append_status_line(out, head.status, head.reason);
  append_fields(out, {}, head.headers, [&](const http::Header& header) {
    return header.field != http::Field::kContentLength && header.field != http::Field::kXRequestId &&
           !hop.contains(header) && (!edits || !edits->drops(header.name));
  });
  if (edits) append_edits(out, *edits);
  if (!head.find(http::Field::kDate))
    http::append_field(out, "date", walk.tools.date.text(walk.tools.clock.wall()));
  out.append("x-request-id: ").append(walk.request_id).append("\r\n", 2);
  append_session(out, walk, *answer.live);
  append_limit_fields(out, walk);
  if (framing == http::Framing::kLength) http::append_field(out, "content-length", head.content_length);
  // The answer to HEAD says how long the body would be.
  if (framing == http::Framing::kNone && walk.request.head.method == "HEAD") {
    if (const auto length = head.find(http::Field::kContentLength))
      http::append_field(out, "content-length", *length);
  }
  if (framing == http::Framing::kChunked) out += "transfer-encoding: chunked\r\n";
  if (framing == http::Framing::kUntilClose) walk.keep_alive = false;
  if (!walk.keep_alive) {
    out += "connection: close\r\n";
  } else if (walk.request.head.minor_version == 0) {
    out += "connection: keep-alive\r\n";
  }
  http::end_head(out);
}

// What of the body is here without waiting. True if that is all there will be.
Result<bool> take_ready(Answer& answer, std::vector<std::string_view>& pieces) {
  pieces.clear();
  if (answer.read_already.empty() && !answer.body_complete) return answer.connection->take_body(pieces);
  if (!answer.read_already.empty()) pieces.push_back(answer.read_already);
  return answer.body_complete;
}

// Before waiting for more of the body: until when, and whom to abort if the client leaves.
void begin_wait(Walk& walk, Answer& answer) {
  answer.connection->set_deadline(walk.deadline(walk.tools.config.stream_idle_timeout));
  walk.waiting_on = answer.connection.get();
}

End end_of(const Walk& walk, const Error& error) {
  if (walk.client_gone) return End::kClientLeft;
  return error.code == Code::kDeadline ? End::kTooSlow : End::kEndpointDied;
}

net::Task<End> relay_body(Walk& walk, Answer& answer, Sink& sink) {
  const bool counts = answer.head->status == 200;
  std::vector<std::string_view>& pieces = answer.connection->pieces();
  while (true) {
    Result<bool> done = take_ready(answer, pieces);
    if (done && !*done && pieces.empty()) {
      begin_wait(walk, answer);
      done = co_await answer.connection->read_body(pieces);
      walk.waiting_on = nullptr;
    }
    if (!done && pieces.empty()) co_return end_of(walk, done.error());
    answer.dispatch.begun(walk.tools.loop.now());
    if (counts) {
      for (const std::string_view piece : pieces) walk.meter.on_body(piece, walk.tools.loop.now());
    }
    const bool last = done.value_or(false);
    if (!co_await sink.send(pieces, last)) co_return End::kClientLeft;
    answer.read_already.clear();
    if (last) co_return End::kDone;
    if (!done) co_return end_of(walk, done.error());
  }
}

net::Task<End> relay_events(Walk& walk, Answer& answer, Sink& sink) {
  EventRelay events(dialect::UsageSse(answer.injected), walk.meter);
  std::vector<std::string_view>& pieces = answer.connection->pieces();
  if (!answer.connection->has_unread()) {  // the client learns now that its stream has begun
    if (!co_await sink.send(pieces, false)) co_return End::kClientLeft;
  }
  while (true) {
    Result<bool> done = take_ready(answer, pieces);
    if (done && !*done && pieces.empty()) {
      begin_wait(walk, answer);
      done = co_await answer.connection->read_body(pieces);
      walk.waiting_on = nullptr;
    }
    if (!pieces.empty()) answer.dispatch.begun(walk.tools.loop.now());
    for (const std::string_view piece : pieces) {
      if (!events.feed(piece, walk.tools.loop.now())) co_return End::kEndpointDied;
    }
    const bool last = done.value_or(false);
    if (last) events.flush();
    const std::vector<std::string_view>& outgoing = events.outgoing();
    if (!outgoing.empty() || last || !sink.head_sent()) {
      if (!co_await sink.send(outgoing, last)) co_return End::kClientLeft;
    }
    events.clear();
    answer.read_already.clear();
    if (last) co_return End::kDone;
    if (!done) co_return end_of(walk, done.error());
  }
}

net::Task<void> tell_in_stream(const Walk& walk, Sink& sink, End end) {
  const Error error{end == End::kTooSlow ? Code::kDeadline : Code::kUnavailable, "",
                    end == End::kTooSlow ? "the engine sent nothing for too long; the answer is incomplete"
                                         : "the engine failed; the answer is incomplete"};
  const std::string event = walk.api == dialect::Api::kMessages
                                ? "event: error\ndata: " + dialect::messages_error_body(error) + "\n\n"
                                : "data: " + dialect::error_body(error) + "\n\ndata: [DONE]\n\n";
  const std::vector<std::string_view> parts = {event};
  co_await sink.send(parts, true);
}

// Ends a stream that began while its request waited with something that is no stream.
net::Task<bool> end_begun(Walk& walk, std::string_view document) {
  std::string event = "data: ";
  for (const char c : document) event += c == '\n' || c == '\r' ? ' ' : c;
  event += "\n\ndata: [DONE]\n\n";
  Sink sink(walk, http::Framing::kChunked);
  sink.skip_head();
  const std::vector<std::string_view> parts = {event};
  const bool sent = co_await sink.send(parts, true);
  if (!sent) walk.client_gone = true;
  co_return sent&& walk.keep_alive;
}

net::Task<bool> relay_as_event(Walk& walk, Answer& answer) {
  constexpr std::size_t kBytesMax = 64 * 1024;
  walk.status = answer.head->status;
  std::string body;
  bool done = false;
  std::vector<std::string_view>& pieces = answer.connection->pieces();
  while (!done && body.size() <= kBytesMax) {
    Result<bool> more = take_ready(answer, pieces);
    if (more && !*more && pieces.empty()) {
      begin_wait(walk, answer);
      more = co_await answer.connection->read_body(pieces);
      walk.waiting_on = nullptr;
    }
    for (const std::string_view piece : pieces) body += piece;
    answer.read_already.clear();
    if (!more) break;
    done = *more;
  }
  if (walk.client_gone) co_return false;
  if (done) walk.tools.upstream.give_back(std::move(answer.connection));
  const Error unreadable{Code::kUnavailable, "", "the engine's answer was no stream and could not be read"};
  const std::string shown = done ? body : dialect::error_body(unreadable);
  co_return co_await end_begun(walk, shown);
}

}  // namespace

net::Task<bool> relay(Walk& walk, Answer& answer) {
  const bool events = is_event_stream(*answer.head);
  if (walk.begun && !events) co_return co_await relay_as_event(walk, answer);
  const http::Framing framing = framing_for(walk, answer, events);
  Sink sink(walk, framing);
  walk.status = answer.head->status;
  walk.streamed = events;
  if (walk.begun) {
    sink.skip_head();
  } else {
    append_head(sink.head(), walk, answer, framing);
  }
  End end = End::kDone;
  if (framing == http::Framing::kNone) {
    const std::vector<std::string_view> nothing;
    if (!co_await sink.send(nothing, true)) end = End::kClientLeft;
  } else if (events) {
    end = co_await relay_events(walk, answer, sink);
  } else {
    end = co_await relay_body(walk, answer, sink);
  }
  switch (end) {
    case End::kDone:
      walk.tools.upstream.give_back(std::move(answer.connection));
      co_return walk.keep_alive;
    case End::kClientLeft:
      walk.client_gone = true;
      co_return false;
    case End::kTooSlow:
      walk.flags = "UT";
      break;
    case End::kEndpointDied:
      walk.flags = "UC";
      answer.live->failed(walk.tools.loop.now());
      note_outcome(*answer.live, false, walk.tools.loop.now());
      break;
  }
  if (events) {
    co_await tell_in_stream(walk, sink, end);
  } else if (!sink.head_sent()) {
    const Error failed{Code::kUnavailable, "", "the engine failed before it answered"};
    co_return co_await respond_error(walk, failed);
  } else {
    walk.session.stream().reset_on_close();
  }
  co_return false;
}

net::Task<bool> send_comment(Walk& walk) {
  Sink sink(walk, http::Framing::kChunked);
  if (walk.begun) {
    sink.skip_head();
  } else {
    std::string& head = sink.head();
    http::append_status_line(head, 200);
    http::append_field(head, "content-type", "text/event-stream; charset=utf-8");
    http::append_field(head, "cache-control", "no-cache");
    http::append_field(head, "date", walk.tools.date.text(walk.tools.clock.wall()));
    if (!walk.request_id.empty()) http::append_field(head, "x-request-id", walk.request_id);
    head += "transfer-encoding: chunked\r\n";
    if (!walk.keep_alive) head += "connection: close\r\n";
    http::end_head(head);
    walk.begun = true;
    walk.status = 200;
    walk.streamed = true;
  }
  const std::vector<std::string_view> parts = {": waiting\n\n"};
  const bool sent = co_await sink.send(parts, false);
  co_return sent;
}

net::Task<bool> respond(Walk& walk, OwnAnswer answer) {
  if (walk.client_gone) co_return false;
  if (walk.begun) co_return co_await end_begun(walk, answer.body);
  walk.status = answer.status;
  std::string out;
  http::append_status_line(out, answer.status);
  if (!answer.location.empty()) http::append_field(out, "location", answer.location);
  if (!answer.body.empty()) http::append_field(out, "content-type", answer.content_type);
  http::append_field(out, "content-length", answer.body.size());
  http::append_field(out, "date", walk.tools.date.text(walk.tools.clock.wall()));
  if (!walk.request_id.empty()) http::append_field(out, "x-request-id", walk.request_id);
  if (!walk.reason.empty()) http::append_field(out, "x-tidegate-refused", walk.reason);
  append_limit_fields(out, walk);
  if (answer.status == 401) out += "www-authenticate: Bearer\r\n";
  if (answer.retry_after_s > 0) http::append_field(out, "retry-after", answer.retry_after_s);
  if (!walk.keep_alive) {
    out += "connection: close\r\n";
  } else if (walk.request.head.minor_version == 0) {
    out += "connection: keep-alive\r\n";
  }
  http::end_head(out);
  if (walk.request.head.method != "HEAD") {
    out += answer.body;
    walk.bytes_sent += answer.body.size();
  }
  walk.session.stream().set_deadline(walk.tools.loop.now() + walk.tools.config.stream_idle_timeout);
  const Result<void> sent = co_await walk.session.stream().write_all(out);
  if (!sent) walk.client_gone = true;
  co_return walk.keep_alive&& sent.has_value();
}

net::Task<bool> respond_error(Walk& walk, Error error, std::uint32_t retry_after_s) {
  const std::string body =
      walk.api == dialect::Api::kMessages ? dialect::messages_error_body(error) : dialect::error_body(error);
  OwnAnswer answer;
  answer.status = dialect::face_of(error).status;
  answer.body = body;
  answer.retry_after_s = retry_after_s;
  co_return co_await respond(walk, answer);
}

}  // namespace tidegate::gateway
