#include "http/h1.h"

#include <llhttp.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "base/check.h"
#include "http/grammar.h"
#include "http/h1_rules.h"

namespace tidegate::http {
namespace {

enum class Phase { kHead, kBody, kTrailer, kDone, kFailed };

constexpr std::string_view kVersion = "HTTP/1.";  // and one digit

// The longest start line around a target of the greatest size: method, blanks, version, CRLF, with room.
constexpr std::size_t kStartLineBytesMax = 64;

std::string_view view(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

tl::unexpected<Error> bare_line_end() {
  return invalid("header", "has a line that does not end with CRLF; end every line with CR LF");
}

tl::unexpected<Error> too_long(std::string_view what, std::size_t limit) {
  return fail(Code::kTooLarge, "is longer than " + std::to_string(limit) + " bytes", std::string(what));
}

tl::unexpected<Error> bad_version() {
  return invalid("version", "is not HTTP/1.0 or HTTP/1.1, the versions served here");
}

bool is_version(std::string_view text) {
  return text.size() == kVersion.size() + 1 && text.starts_with(kVersion) &&
         (text.back() == '0' || text.back() == '1');
}

std::string_view field_of(llhttp_errno_t error) {
  switch (error) {
    case HPE_INVALID_METHOD:
      return "method";
    case HPE_INVALID_URL:
      return "target";
    case HPE_INVALID_VERSION:
    case HPE_INVALID_CONSTANT:
    case HPE_PAUSED_H2_UPGRADE:
      return "version";
    case HPE_INVALID_CONTENT_LENGTH:
    case HPE_UNEXPECTED_CONTENT_LENGTH:
      return "content-length";
    case HPE_INVALID_TRANSFER_ENCODING:
      return "transfer-encoding";
    case HPE_INVALID_STATUS:
      return "status";
    default:
      return "header";
  }
}

}  // namespace

struct Parser::State {
  State(Kind kind, HeadLimits limits);

  Result<std::size_t> fail_with(tl::unexpected<Error> error) {
    phase = Phase::kFailed;
    return error;
  }

  Result<std::size_t> find_end(std::string_view buffer);
  bool start_line_is_too_long(std::size_t size) const;
  Result<void> check_start_line(std::string_view line) const;
  Result<void> run_llhttp(std::string_view bytes);
  Result<void> check_layout(std::string_view bytes);
  const char* after_request_line(std::string_view bytes);
  const char* after_status_line(std::string_view bytes);

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
  std::size_t scanned = 0;     // no LF before this but those already seen
  std::size_t line_start = 0;  // of the line that `scanned` is in
  std::size_t lines = 0;
  bool too_many_headers = false;

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
    s.on_method = [](llhttp_t* p, const char* at, std::size_t size) {
      of(p).head.method = {at, size};
      return 0;
    };
    s.on_url = [](llhttp_t* p, const char* at, std::size_t size) {
      of(p).head.target = {at, size};
      return 0;
    };
    s.on_status = [](llhttp_t* p, const char* at, std::size_t size) {
      of(p).head.reason = {at, size};
      return 0;
    };
    s.on_header_field = [](llhttp_t* p, const char* at, std::size_t size) {
      State& state = of(p);
      if (state.head.headers.size() == state.limits.headers_max) {
        state.too_many_headers = true;
        return -1;
      }
      state.head.headers.push_back({{at, size}, {}});
      return 0;
    };
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
  llhttp_init(&llhttp, kind == kRequest ? HTTP_REQUEST : HTTP_RESPONSE, &settings());
  llhttp.data = this;
  head.headers.reserve(std::min<std::size_t>(limits.headers_max, 32));
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
    const std::size_t lf = static_cast<std::size_t>(static_cast<const char*>(found) - buffer.data());
    if (lf == line_start || buffer[lf - 1] != '\r') return bare_line_end();
    if (lf - 1 == line_start) return lf + 1;
    if (lines == 0) {
      if (auto line = check_start_line(buffer.substr(0, lf - 1)); !line) return tl::unexpected(line.error());
    }
    if (lines++ > limits.headers_max) {
      return fail(Code::kTooLarge, "has more than " + std::to_string(limits.headers_max) + " header fields",
                  "header");
    }
    scanned = line_start = lf + 1;
  }
  scanned = end;
  if (lines == 0 && start_line_is_too_long(scanned)) return too_long("target", limits.target_bytes_max);
  if (buffer.size() >= limits.head_bytes_max) {
    return fail(Code::kTooLarge, "is longer than " + std::to_string(limits.head_bytes_max) + " bytes",
                "header");
  }
  return 0;
}

// No start line whose LF has not come within `size` bytes has a target within the limit. The answer is the
// same whether the LF is there or not.
bool Parser::State::start_line_is_too_long(std::size_t size) const {
  return kind == kRequest && size > limits.target_bytes_max + kStartLineBytesMax;
}

// What can be said of a start line before the rest of the head is there.
Result<void> Parser::State::check_start_line(std::string_view line) const {
  if (kind == kResponse) {
    if (is_version(line.substr(0, kVersion.size() + 1))) return {};
    return bad_version();
  }
  if (start_line_is_too_long(line.size() + 1)) return too_long("target", limits.target_bytes_max);
  const std::size_t blank = line.rfind(' ');
  if (blank == std::string_view::npos || !is_version(line.substr(blank + 1))) return bad_version();
  return {};
}

// Lets llhttp judge the whole head, so that each of its spans is contiguous.
Result<void> Parser::State::run_llhttp(std::string_view bytes) {
  const llhttp_errno_t error = llhttp_execute(&llhttp, bytes.data(), bytes.size());
  if (too_many_headers) {
    return fail(Code::kTooLarge, "has more than " + std::to_string(limits.headers_max) + " header fields",
                "header");
  }
  // A request to change the protocol is not followed: the message ends like any other.
  const bool upgrade =
      error == HPE_PAUSED_UPGRADE && llhttp_get_error_pos(&llhttp) == bytes.data() + bytes.size();
  if (error != HPE_OK && !upgrade) {
    const char* reason = llhttp_get_error_reason(&llhttp);
    return invalid(
        std::string(field_of(error)),
        "is not HTTP/1.1: " + std::string(reason != nullptr && *reason != '\0' ? reason : "malformed"));
  }
  return {};
}

// The start of the first field, or null if the request line is not "method SP target SP version CRLF".
const char* Parser::State::after_request_line(std::string_view bytes) {
  const std::string_view method = head.method;
  const std::string_view target = head.target;
  const char* const end = bytes.data() + bytes.size();
  if (method.data() != bytes.data() || target.empty() || target.data() != method.data() + method.size() + 1) {
    return nullptr;
  }
  const char* const version = target.data() + target.size() + 1;
  if (method.data()[method.size()] != ' ' || version[-1] != ' ' || end - version < 10) return nullptr;
  if (!is_version({version, 8}) || version[8] != '\r' || version[9] != '\n') return nullptr;
  head.minor_version = version[7] - '0';
  return version + 10;
}

// The same for "version SP status [SP reason] CRLF".
const char* Parser::State::after_status_line(std::string_view bytes) {
  const std::size_t cr = bytes.find('\r');
  if (cr == std::string_view::npos || bytes[cr + 1] != '\n') return nullptr;
  const std::string_view line = bytes.substr(0, cr);
  const auto digit = [&line](std::size_t at) { return line[at] >= '0' && line[at] <= '9'; };
  if (line.size() < 12 || !is_version(line.substr(0, 8)) || line[8] != ' ') return nullptr;
  if (!digit(9) || !digit(10) || !digit(11) || (line.size() > 12 && line[12] != ' ')) return nullptr;
  head.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  head.minor_version = line[7] - '0';
  head.reason = line.substr(std::min<std::size_t>(13, line.size()));
  return is_field_value(head.reason) ? bytes.data() + cr + 2 : nullptr;
}

// What llhttp read must account for every byte, in the one form that has no second reading: the start line,
// then "name:OWS value OWS CRLF" line by line, then CRLF. This closes whatever an older llhttp tolerates,
// such as lone CRs, folded lines and stray blanks, and fills in the values.
Result<void> Parser::State::check_layout(std::string_view bytes) {
  const char* const end = bytes.data() + bytes.size();
  const char* at = kind == kRequest ? after_request_line(bytes) : after_status_line(bytes);
  if (at == nullptr) {
    return kind == kRequest
               ? invalid("target", "does not stand in a line of method, target and version, one space apart")
               : invalid("status", "does not stand in a line of version, status and reason");
  }
  for (Header& header : head.headers) {
    if (header.name.data() != at || !is_token(header.name) || at[header.name.size()] != ':') {
      return invalid("header", "has a name that is not followed by a colon, or bytes that no name may have");
    }
    const char* const value = at + header.name.size() + 1;
    // find_end() has made sure that a line end follows.
    const char* const lf =
        static_cast<const char*>(std::memchr(value, '\n', static_cast<std::size_t>(end - value)));
    if (lf == nullptr || lf == value || lf[-1] != '\r') return bare_line_end();
    header.value = ascii::trim(view(value, lf - 1));
    if (!is_field_value(header.value)) {
      return invalid("header", "has a control byte in a value; send printable text");
    }
    at = lf + 1;
  }
  if (end - at != 2 || at[0] != '\r' || at[1] != '\n') {
    return invalid("header", "has a line that is not a name, a colon and a value");
  }
  return {};
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
  llhttp_reset(&s.llhttp);
  s.response_to_head = response_to_head;
  s.phase = Phase::kHead;
  std::vector<Header> headers = std::move(s.head.headers);  // keeps its memory
  headers.clear();
  s.head = Head{};
  s.head.headers = std::move(headers);
  s.scanned = s.line_start = s.lines = 0;
  s.too_many_headers = s.last_chunk = false;
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
  auto checked = s.run_llhttp(bytes).and_then([&] { return s.check_layout(bytes); });
  if (checked && s.head.target.size() > s.limits.target_bytes_max) {
    checked = too_long("target", s.limits.target_bytes_max);
  }
  if (checked) {
    checked = s.kind == kRequest ? judge_request(s.head) : judge_response(s.head, s.response_to_head);
  }
  if (!checked) return s.fail_with(tl::unexpected(checked.error()));
  s.left = s.head.content_length;
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
