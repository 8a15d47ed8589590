#include "http/h1.h"

#include <llhttp.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "base/check.h"
#include "http/h1_lines.h"
#include "http/h1_rules.h"

namespace tidegate::http {
namespace {

enum class Phase { kHead, kBody, kTrailer, kDone, kFailed };

// More than method, blanks, version and CRLF need beside a target.
constexpr std::size_t kStartLineBytesMax = 64;

tl::unexpected<Error> bare_line_end() {
  return invalid("header", "has a line that does not end with CRLF; end every line with CR LF");
}

tl::unexpected<Error> too_long(std::string_view what, std::size_t limit) {
  return fail(Code::kTooLarge, "is longer than " + std::to_string(limit) + " bytes", std::string(what));
}

tl::unexpected<Error> fault_of(LineFault fault) { return invalid(fault.field, fault.message); }

}  // namespace

struct Parser::State {
  State(Kind kind, HeadLimits limits);

  Result<std::size_t> fail_with(tl::unexpected<Error> error) {
    phase = Phase::kFailed;
    return error;
  }

  Result<std::size_t> find_end(std::string_view buffer);
  LineFault read_start_line(std::string_view line);
  Result<void> read_lines(std::string_view bytes);
  void enter_chunks();

  Result<Body> chunk(std::string_view input);
  Result<Body> trailer(std::string_view input);

  static State& of(llhttp_t* parser) { return *static_cast<State*>(parser->data); }
  static const llhttp_settings_t& settings();

  Kind kind;
  HeadLimits limits;
  bool response_to_head = false;
  Phase phase = Phase::kHead;
  llhttp_t llhttp;
  Head head;

  // Head: how far find_end() has looked.
  std::size_t scanned = 0;             // no LF before this but those already seen
  std::vector<std::size_t> line_ends;  // the offset behind each of those
  bool start_line_read = false;        // before the rest of the head was there; it is read again with it

  // Body.
  std::uint64_t left = 0;         // with kLength
  std::string_view payload;       // of the run of llhttp that is under way
  bool last_chunk = false;        // its size line has been read
  std::size_t framing_bytes = 0;  // since the last content
  std::size_t trailer_bytes = 0;
  std::string trailer_line;  // the unfinished one
};

const llhttp_settings_t& Parser::State::settings() {
  static const llhttp_settings_t kSettings = [] {
    llhttp_settings_t s;
    llhttp_settings_init(&s);
    s.on_body = [](llhttp_t* p, const char* at, std::size_t size) -> int {
      of(p).payload = {at, size};
      return size > 0 ? HPE_PAUSED : HPE_OK;
    };
    s.on_chunk_header = [](llhttp_t* p) -> int {
      of(p).last_chunk = p->content_length == 0;
      return of(p).last_chunk ? HPE_PAUSED : HPE_OK;
    };
    return s;
  }();
  return kSettings;
}

Parser::State::State(Kind kind_of_message, HeadLimits head_limits)
    : kind(kind_of_message), limits(head_limits) {
  llhttp_init(&llhttp, HTTP_REQUEST, &settings());
  llhttp.data = this;
  head.headers.reserve(std::min<std::size_t>(limits.headers_max, 32));
  line_ends.reserve(std::min<std::size_t>(limits.headers_max, 32) + 1);
}

// Finds the blank line. Returns the head's size or 0. Every line up to there ends with CRLF.
Result<std::size_t> Parser::State::find_end(std::string_view buffer) {
  const std::size_t end = std::min(buffer.size(), limits.head_bytes_max);
  if (end > 0 && scanned == 0) {
    const char first = buffer.front();
    if (kind == kRequest ? first < 'A' || first > 'Z' : first != 'H') {
      return invalid(kind == kRequest ? "method" : "version", "is not what an HTTP/1.1 message begins with");
    }
  }
  while (scanned < end) {
    const void* found = std::memchr(buffer.data() + scanned, '\n', end - scanned);
    if (found == nullptr) break;
    const std::size_t line_start = line_ends.empty() ? 0 : line_ends.back();
    const std::size_t lf = static_cast<std::size_t>(static_cast<const char*>(found) - buffer.data());
    if (lf == line_start || buffer[lf - 1] != '\r') return bare_line_end();
    if (lf - 1 == line_start) return lf + 1;
    if (line_ends.size() > limits.headers_max) {
      return fail(Code::kTooLarge, "has more than " + std::to_string(limits.headers_max) + " fields",
                  "header");
    }
    line_ends.push_back(lf + 1);
    scanned = lf + 1;
  }
  scanned = end;
  // Not all is there yet. What is wrong already need not be waited for.
  const std::size_t start_line = line_ends.empty() ? scanned : line_ends.front() - 1;
  if (kind == kRequest && start_line > limits.target_bytes_max + kStartLineBytesMax) {
    return too_long("target", limits.target_bytes_max);
  }
  if (!line_ends.empty() && !start_line_read) {
    const LineFault fault = read_start_line(buffer.substr(0, line_ends.front() - 2));
    if (fault.field != nullptr) return fault_of(fault);
    start_line_read = true;
  }
  if (buffer.size() >= limits.head_bytes_max) return too_long("header", limits.head_bytes_max);
  return 0;
}

LineFault Parser::State::read_start_line(std::string_view line) {
  return kind == kRequest ? read_request_line(line, head) : read_status_line(line, head);
}

// The lines that find_end() has found, into the head.
Result<void> Parser::State::read_lines(std::string_view bytes) {
  std::size_t start = 0;
  for (const std::size_t end : line_ends) {
    const std::string_view line = bytes.substr(start, end - start - 2);
    const LineFault fault =
        start == 0 ? read_start_line(line) : read_field_line(line, head.headers.emplace_back());
    if (fault.field != nullptr) return fault_of(fault);
    start = end;
  }
  return {};
}

// llhttp decodes chunks only behind a head, and gets one that says no more than that chunks follow.
void Parser::State::enter_chunks() {
  static constexpr std::string_view kHead = "POST / HTTP/1.1\r\nTransfer-Encoding:chunked\r\n\r\n";
  llhttp_reset(&llhttp);
  TG_CHECK(llhttp_execute(&llhttp, kHead.data(), kHead.size()) == HPE_OK);
}

Result<Parser::Body> Parser::State::chunk(std::string_view input) {
  if (input.empty()) return Body{0, {}, false};
  payload = {};
  const llhttp_errno_t error = llhttp_execute(&llhttp, input.data(), input.size());
  std::size_t consumed = input.size();
  if (error == HPE_PAUSED) {
    consumed = static_cast<std::size_t>(llhttp_get_error_pos(&llhttp) - input.data());
    llhttp_resume(&llhttp);
  } else if (error != HPE_OK) {
    phase = Phase::kFailed;
    return invalid("body",
                   std::string("is not chunked as it should be: ") + llhttp_get_error_reason(&llhttp));
  }
  framing_bytes += consumed - payload.size();
  if (framing_bytes > kChunkLineBytesMax) {
    phase = Phase::kFailed;
    return invalid("body",
                   "has a chunk size line of more than " + std::to_string(kChunkLineBytesMax) + " bytes");
  }
  if (!payload.empty()) framing_bytes = 0;
  if (last_chunk) {
    phase = Phase::kTrailer;
    if (consumed < input.size()) {
      auto rest = trailer(input.substr(consumed));
      if (rest) rest->consumed += consumed;
      return rest;
    }
  }
  return Body{consumed, payload, false};
}

Result<Parser::Body> Parser::State::trailer(std::string_view input) {
  std::size_t consumed = 0;
  while (consumed < input.size()) {
    const std::string_view rest = input.substr(consumed);
    const std::size_t lf = rest.find('\n');
    const std::string_view piece = rest.substr(0, lf == std::string_view::npos ? rest.size() : lf + 1);
    trailer_bytes += piece.size();
    if (trailer_bytes > kTrailerBytesMax) {
      phase = Phase::kFailed;
      return invalid("trailer", "is longer than " + std::to_string(kTrailerBytesMax) + " bytes");
    }
    trailer_line.append(piece);
    consumed += piece.size();
    if (lf == std::string_view::npos) break;
    if (trailer_line == "\r\n") {
      phase = Phase::kDone;
      return Body{consumed, {}, true};
    }
    const bool ends_well = trailer_line.size() > 2 && trailer_line[trailer_line.size() - 2] == '\r';
    Result<void> judged =
        ends_well ? judge_trailer(std::string_view(trailer_line).substr(0, trailer_line.size() - 2))
                  : Result<void>(bare_line_end());
    if (!judged) {
      phase = Phase::kFailed;
      return tl::unexpected(judged.error());
    }
    trailer_line.clear();
  }
  return Body{consumed, {}, false};
}

int refusal_status(const Error& error) {
  if (error.code == Code::kTooLarge) {
    if (error.field == "target") return 414;
    return error.field == "body" ? 413 : 431;
  }
  return error.field == "expect" ? 417 : 400;
}

Parser::Parser(Kind kind, HeadLimits limits) : state_(std::make_unique<State>(kind, limits)) {}
Parser::~Parser() = default;
Parser::Parser(Parser&&) noexcept = default;
Parser& Parser::operator=(Parser&&) noexcept = default;

void Parser::reset(bool response_to_head) {
  State& s = *state_;
  s.response_to_head = response_to_head;
  s.phase = Phase::kHead;
  std::vector<Header> headers = std::move(s.head.headers);  // keeps its memory
  headers.clear();
  s.head = Head{};
  s.head.headers = std::move(headers);
  s.scanned = 0;
  s.line_ends.clear();
  s.start_line_read = s.last_chunk = false;
  s.left = 0;
  s.payload = {};
  s.framing_bytes = s.trailer_bytes = 0;
  s.trailer_line.clear();
}

Result<std::size_t> Parser::head(std::string_view buffer) {
  State& s = *state_;
  TG_CHECK(s.phase == Phase::kHead);
  auto size = s.find_end(buffer);
  if (!size) return s.fail_with(tl::unexpected(size.error()));
  if (*size == 0) return 0;
  const std::string_view bytes = buffer.substr(0, *size);
  auto checked = s.read_lines(bytes);
  if (checked && s.head.target.size() > s.limits.target_bytes_max) {
    checked = too_long("target", s.limits.target_bytes_max);
  }
  if (checked) {
    checked = s.kind == kRequest ? judge_request(s.head) : judge_response(s.head, s.response_to_head);
  }
  if (!checked) return s.fail_with(tl::unexpected(checked.error()));
  s.left = s.head.content_length;
  if (s.head.framing == Framing::kChunked) s.enter_chunks();
  s.phase = Phase::kBody;
  return *size;
}

const Head& Parser::message() const { return state_->head; }

Result<Parser::Body> Parser::body(std::string_view input) {
  State& s = *state_;
  TG_CHECK(s.phase != Phase::kHead);
  if (s.phase == Phase::kDone) return Body{0, {}, true};
  if (s.phase == Phase::kFailed)
    return invalid("body", "cannot be read on after an error; close the connection");
  if (s.phase == Phase::kTrailer) return s.trailer(input);
  switch (s.head.framing) {
    case Framing::kNone:
      s.phase = Phase::kDone;
      return Body{0, {}, true};
    case Framing::kLength: {
      const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(s.left, input.size()));
      s.left -= take;
      if (s.left == 0) s.phase = Phase::kDone;
      return Body{take, input.substr(0, take), s.left == 0};
    }
    case Framing::kChunked:
      return s.chunk(input);
    case Framing::kUntilClose:
      return Body{input.size(), input, false};
  }
  return invalid("body", "has no framing");
}

bool Parser::finish() {
  State& s = *state_;
  if (s.phase == Phase::kBody) {
    const bool ends_here = s.head.framing == Framing::kUntilClose || s.head.framing == Framing::kNone ||
                           (s.head.framing == Framing::kLength && s.left == 0);
    if (ends_here) s.phase = Phase::kDone;
  }
  return s.phase == Phase::kDone;
}

}  // namespace tidegate::http
