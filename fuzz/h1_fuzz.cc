// HTTP/1.1: no cut of a stream changes what is read from it, whatever is read was there, and a head that is
// accepted says the same once written out again.

#include <llhttp.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/testing/transcript.h"
#include "http/write.h"

namespace {

using tidegate::http::append_field;
using tidegate::http::append_request_line;
using tidegate::http::append_status_line;
using tidegate::http::Head;
using tidegate::http::Header;
using tidegate::http::HeadLimits;
using tidegate::http::Parser;
using tidegate::http::testing::read_stream;
using tidegate::http::testing::Transcript;

bool lies_in(std::string_view part, std::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_cuts(Parser::Kind kind, std::string_view stream, HeadLimits limits) {
  const Transcript whole = read_stream(kind, {stream}, limits);
  const std::size_t step = stream.size() / 24 + 1;
  for (std::size_t cut = stream.size() % step; cut <= stream.size(); cut += step) {
    TG_CHECK(read_stream(kind, {stream.substr(0, cut), stream.substr(cut)}, limits) == whole);
  }
  if (stream.size() > 512) return;
  std::vector<std::string_view> bytes;
  for (std::size_t i = 0; i < stream.size(); ++i) bytes.push_back(stream.substr(i, 1));
  TG_CHECK(read_stream(kind, bytes, limits) == whole);
}

struct Spans {
  std::string_view method, target, reason;
  std::vector<Header> headers;
};

llhttp_settings_t span_settings() {
  llhttp_settings_t s;
  llhttp_settings_init(&s);
  const auto spans = [](llhttp_t* p) -> Spans& { return *static_cast<Spans*>(p->data); };
  static constexpr auto kSpans = spans;
  s.on_method = [](llhttp_t* p, const char* at, std::size_t size) {
    return kSpans(p).method = {at, size}, 0;
  };
  s.on_url = [](llhttp_t* p, const char* at, std::size_t size) { return kSpans(p).target = {at, size}, 0; };
  s.on_status = [](llhttp_t* p, const char* at, std::size_t size) {
    return kSpans(p).reason = {at, size}, 0;
  };
  s.on_header_field = [](llhttp_t* p, const char* at, std::size_t size) {
    kSpans(p).headers.push_back({{at, size}, {}});
    return 0;
  };
  s.on_header_value = [](llhttp_t* p, const char* at, std::size_t size) {
    Header& last = kSpans(p).headers.back();
    TG_CHECK(last.value.empty());  // a value in two spans would be a folded one
    last.value = {at, size};
    return 0;
  };
  return s;
}

// `bytes` is a head that Parser has accepted.
void check_second_opinion(Parser::Kind kind, std::string_view bytes, const Head& head) {
  static const llhttp_settings_t kSettings = span_settings();
  Spans spans;
  llhttp_t parser;
  llhttp_init(&parser, kind == Parser::kRequest ? HTTP_REQUEST : HTTP_RESPONSE, &kSettings);
  parser.data = &spans;
  const llhttp_errno_t error = llhttp_execute(&parser, bytes.data(), bytes.size());
  TG_CHECK(error == HPE_OK || error == HPE_PAUSED_UPGRADE);
  TG_CHECK(spans.method == head.method && spans.target == head.target && spans.reason == head.reason);
  TG_CHECK(spans.headers.size() == head.headers.size());
  for (std::size_t i = 0; i < head.headers.size(); ++i) {
    TG_CHECK(spans.headers[i].name.data() == head.headers[i].name.data());
    TG_CHECK(spans.headers[i].name.size() == head.headers[i].name.size());
    TG_CHECK(tidegate::ascii::trim(spans.headers[i].value) == head.headers[i].value);
  }
}

void check_rewrite(Parser::Kind kind, std::string_view stream) {
  Parser parser(kind, {});
  const auto size = parser.head(stream);
  if (!size || *size == 0) return;
  const Head& head = parser.message();
  for (const Header& header : head.headers)
    TG_CHECK(lies_in(header.name, stream) && lies_in(header.value, stream));
  TG_CHECK(lies_in(head.target, stream) && lies_in(head.method, stream) && lies_in(head.reason, stream));

  check_second_opinion(kind, stream.substr(0, *size), head);

  std::string written;
  if (kind == Parser::kRequest) {
    append_request_line(written, head.method, head.target);
  } else {
    append_status_line(written, head.status, head.reason);
  }
  for (const Header& header : head.headers) append_field(written, header.name, header.value);
  tidegate::http::end_head(written);
  if (head.minor_version == 0) return;  // written as 1.1, where other rules hold
  Parser again(
      kind, {.head_bytes_max = written.size() + 1, .target_bytes_max = written.size(), .headers_max = 200});
  const auto size_again = again.head(written);
  TG_CHECK(size_again && *size_again == written.size());
  const Head& copy = again.message();
  TG_CHECK(copy.framing == head.framing && copy.content_length == head.content_length);
  TG_CHECK(copy.keep_alive == head.keep_alive && copy.headers.size() == head.headers.size());
  TG_CHECK(copy.target == head.target && copy.method == head.method && copy.status == head.status);
  for (std::size_t i = 0; i < copy.headers.size(); ++i) {
    TG_CHECK(copy.headers[i].name == head.headers[i].name && copy.headers[i].value == head.headers[i].value);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  // A response shows by its first letter; nothing else begins with "HTTP".
  const Parser::Kind kind = input.starts_with("HTTP") ? Parser::kResponse : Parser::kRequest;
  check_cuts(kind, input, {});
  check_cuts(kind, input, {.head_bytes_max = 160, .target_bytes_max = 12, .headers_max = 3});
  check_rewrite(kind, input);
  return 0;
}
