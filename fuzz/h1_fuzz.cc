// HTTP/1.1: no cut of a stream changes what is read from it, whatever is read was there, and a head that is
// accepted says the same once written out again.

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

void check_rewrite(Parser::Kind kind, std::string_view stream) {
  Parser parser(kind, {});
  const auto size = parser.head(stream);
  if (!size || *size == 0) return;
  const Head& head = parser.message();
  for (const Header& header : head.headers)
    TG_CHECK(lies_in(header.name, stream) && lies_in(header.value, stream));
  TG_CHECK(lies_in(head.target, stream) && lies_in(head.method, stream) && lies_in(head.reason, stream));

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
