#include "http/h1.h"

#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <utility>

#include "http/grammar.h"
#include "http/testing/transcript.h"

namespace tidegate::http {
namespace {

using testing::read_stream;
using testing::Transcript;

// "ok", "more", or the field of the error; after the head, the body is read as well.
std::string verdict(std::string_view bytes, Parser::Kind kind = Parser::kRequest) {
  const Transcript whole = read_stream(kind, {bytes});
  if (whole.refused) return whole.field;
  return whole.complete ? "ok" : "more";
}

std::string request(std::string_view start_line, std::string_view fields = "", std::string_view body = "") {
  return std::string(start_line) + "\r\nHost: localhost:8080\r\n" + std::string(fields) + "\r\n" +
         std::string(body);
}
std::string post(std::string_view fields, std::string_view body = "hello") {
  return request("POST / HTTP/1.1", fields, body);
}
std::string chunked(std::string_view body) { return post("Transfer-Encoding: chunked\r\n", body); }

struct Case {
  std::string bytes;
  std::string verdict;
};

void expect_all(const std::vector<Case>& cases, Parser::Kind kind = Parser::kRequest) {
  for (const Case& c : cases)
    EXPECT_EQ(verdict(c.bytes, kind), c.verdict) << ::testing::PrintToString(c.bytes);
}

TEST(H1Head, GivesTheParts) {
  Parser parser(Parser::kRequest, {});
  const std::string bytes =
      "POST /v1/completions?x=1 HTTP/1.1\r\nHost: test.com\r\nX-Empty:\r\nX-Blank: \t \r\nAccept:  a, b "
      "\t\r\n"
      "Content-Length: 12\r\n\r\nrest";
  ASSERT_EQ(parser.head(bytes).value(), bytes.size() - 4);
  const Head& head = parser.message();
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.target, "/v1/completions?x=1");
  EXPECT_EQ(head.minor_version, 1);
  ASSERT_EQ(head.headers.size(), 5u);
  EXPECT_EQ(head.find("x-empty"), "");
  EXPECT_EQ(head.find("x-blank"), "");
  EXPECT_EQ(head.find("accept"), "a, b");
  EXPECT_EQ(head.find("missing"), std::nullopt);
  EXPECT_EQ(head.framing, Framing::kLength);
  EXPECT_EQ(head.content_length, 12u);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(head.headers[0].name.data(), bytes.data() + bytes.find("Host"));
}

TEST(H1Head, StartLine) {
  expect_all({
      {request("GET / HTTP/1.1"), "ok"},
      {request("GET /a%20b?c=%C3%A9&d[]=1 HTTP/1.1"), "ok"},
      {request("DELETE /apis/x HTTP/1.1"), "ok"},
      {request("OPTIONS * HTTP/1.1"), "ok"},
      {request("TRACE / HTTP/1.1"), "ok"},
      {request("GET http://localhost:8080/ HTTP/1.1"), "ok"},
      {request("GET http://LOCALHOST:8080 HTTP/1.1"), "ok"},
      {request("GET https://localhost:8080?q HTTP/1.1"), "ok"},
      {"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n", "ok"},
      {request("CONNECT example.com HTTP/1.1"), "target"},
      {request("CONNECT / HTTP/1.1"), "target"},
      {request("GET * HTTP/1.1"), "target"},
      {request("GET localhost HTTP/1.1"), "target"},
      {request("GET ftp://localhost:8080/ HTTP/1.1"), "target"},
      {request("GET http://other.example.com/ HTTP/1.1"), "target"},
      {request("GET http://user@localhost:8080/ HTTP/1.1"), "target"},
      {request("GET http:/// HTTP/1.1"), "target"},
      {request("GET /path#frag HTTP/1.1"), "target"},
      {request("GET /path\\file HTTP/1.1"), "target"},
      {request("GET /path%00.html HTTP/1.1"), "target"},
      {request("GET /path%0d%0aX:%20y HTTP/1.1"), "target"},
      {request("GET /path%7f HTTP/1.1"), "target"},
      {request("GET /path%zz HTTP/1.1"), "target"},
      {request("GET /path% HTTP/1.1"), "target"},
      {request("GET /path%2 HTTP/1.1"), "target"},
      {request("GET /a?b=%0a HTTP/1.1"), "target"},
      {request("GET /a?b=\"c\" HTTP/1.1"), "target"},
      {request("FOOBAR / HTTP/1.1"), "method"},
      {request("get / HTTP/1.1"), "method"},
      {request("GET,/ HTTP/1.1"), "method"},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "version"},
      {request("GET / HTTP/2.0"), "version"},
      {request("GET / HTTP/1.2"), "version"},
      {request("GET / HTTP/9.9"), "version"},
      {request("GET / HTTP/0.9"), "version"},
      {request("GET / HTTP/01.01"), "version"},
      {request("GET / HTTP/1"), "version"},
      {request("GET / HTTP/ 1.1"), "version"},
      {request("GET / http/1.1"), "version"},
      {request("GET / HTTP/1.1 "), "version"},
      {request("GET / HTTP/1.1\t"), "version"},
      {"GET /\r\n", "version"},
      {request("GET /"), "version"},
      {"GET / HTTP/1.1\r\n\r\n", "host"},
      {"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "method"},
      {"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "method"},
      {" GET / HTTP/1.1\r\nHost: a\r\n\r\n", "method"},
      {"   \r\n\r\n", "method"},
      {std::string("\x16\x03\x01\x02\x00\x01\x00", 7), "method"},
      {"", "ok"},
      {"G", "more"},
      {"GET / HTTP/1.1\r\nHost: localhost:8080\r\nX-Test: value", "more"},
  });
  for (const char* broken :
       {"GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET\t/ HTTP/1.1", "GET HTTP/1.1", "GET /pa th HTTP/1.1",
        "GET /caf\xC3\xA9 HTTP/1.1", "GET /\xC0\xAF HTTP/1.1", "GET /\x7f HTTP/1.1", "GET /\x01 HTTP/1.1",
        "GET  HTTP/1.1", "GET / HTTP/1.1\rX", "GET / RTSP/1.0"}) {
    const std::string found = verdict(request(broken));
    EXPECT_TRUE(found != "ok" && found != "more") << broken;
  }
  EXPECT_NE(verdict(request(std::string("GET /\0test HTTP/1.1", 19))), "ok");
}

TEST(H1Head, Host) {
  const auto host = [](std::string_view value) {
    return "GET / HTTP/1.1\r\nHost: " + std::string(value) + "\r\n\r\n";
  };
  for (const char* good :
       {"localhost", "localhost:8080", "a.b-c_d.example", "127.0.0.1:80", "[::1]", "[::1]:8080", "A:65535"}) {
    EXPECT_EQ(verdict(host(good)), "ok") << good;
  }
  for (const char* bad : {"",
                          "localhost:8080/path",
                          "user@localhost",
                          "a, b",
                          "a,b",
                          "a b",
                          "a:",
                          ":80",
                          "a:b",
                          "a:65536",
                          "a:123456",
                          "[]",
                          "[::1",
                          "::1",
                          "[::1]x",
                          "[g::1]",
                          "a%41",
                          "a?b",
                          "http://a",
                          "a\tb"}) {
    EXPECT_EQ(verdict(host(bad)), "host") << bad;
  }
  expect_all({
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "host"},
      {"GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", "host"},
      {"GET / HTTP/1.0\r\n\r\n", "host"},
      {"GET / HTTP/1.0\r\nHost: a\r\n\r\n", "ok"},
  });
}

TEST(H1Head, Fields) {
  const auto with = [](std::string_view line) {
    return request("GET / HTTP/1.1", std::string(line) + "\r\n");
  };
  for (const char* good : {"X-A: b", "X-A:b", "X-A: caf\xC3\xA9", "X-A: a\tb", "!#$%&'*+-.^_`|~0aZ: b",
                           "Cookie: ===;;;", "Cookie: ", "X_Request_Id: 7", "Range: bytes=abc"}) {
    EXPECT_EQ(verdict(with(good)), "ok") << good;
  }
  for (const char* bad : {"X-A : b",
                          "X-A\t: b",
                          "X A: b",
                          "NoColon",
                          ": empty",
                          "Bad[Name: b",
                          "X-\xC3\xABst: b",
                          "X-A: a\rb",
                          "X-A: a\x07",
                          "X-A: a\x7f",
                          "X-A: a\x0b",
                          "X-A: b\r\n folded",
                          "X-A: b\r\n\tfolded",
                          "X-A:\r\n folded",
                          " X-A: b",
                          "\tX-A: b",
                          " ",
                          "X-A: b\nX-B: c",
                          "X-A: b\rX-B: c",
                          "X-A: b\r\r",
                          "(X): b",
                          "X\"A: b"}) {
    const std::string found = verdict(with(bad));
    EXPECT_TRUE(found != "ok" && found != "more") << bad << " gave " << found;
  }
  EXPECT_EQ(verdict(request("GET / HTTP/1.1", std::string("X-A: a\0b\r\n", 10))), "header");
  EXPECT_EQ(verdict(request("GET / HTTP/1.1", std::string("X\0A: b\r\n", 8))), "header");
  expect_all({
      {"GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n", "header"},
      {"GET / HTTP/1.1\nHost: a\r\n\r\n", "header"},
      {"GET / HTTP/1.1\r\nHost: a\n\n", "header"},
      {"GET / HTTP/1.1\r\nHost: a\r\n\n", "header"},
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\r\n\r\n", "header"},
      {"GET / HTTP/1.1\rHost: a\r\n\r\n", "version"},
      {post("Content-Length: 5\r\nContent-Type: a/b\r\nContent-Type: a/c\r\n"), "content-type"},
      {post("Content-Length: 5\r\nContent-Type: a/b\r\n"), "ok"},
  });
}

TEST(H1Head, NamesAreTokens) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    for (const std::string& name :
         {std::string(1, c) + "bc", "a" + std::string(1, c) + "c", "ab" + std::string(1, c),
          std::string(1, c), "connection" + std::string(1, c)}) {
      const std::string bytes = request("GET / HTTP/1.1", name + ": v\r\n");
      const std::string found = verdict(bytes);
      const std::string answer = "HTTP/1.1 204 No Content\r\n" + name + ": v\r\n\r\n";
      const std::string found_in_answer = verdict(answer, Parser::kResponse);
      const bool splits = c == ':' && name.front() != ':';  // "a:c: v" is the field "a"
      EXPECT_EQ(found == "ok", grammar::has(c, grammar::kToken) || splits) << byte << " gave " << found;
      EXPECT_EQ(found_in_answer == "ok", grammar::has(c, grammar::kToken) || splits) << byte;
    }
  }
}

TEST(H1Head, ValuesHoldNoControlBytesButTab) {
  for (int byte = 0; byte < 256; ++byte) {
    for (const std::size_t size : {1, 2, 15, 16, 17, 40}) {
      for (std::size_t at = 0; at < size; ++at) {
        std::string value(size, 'v');
        value[at] = static_cast<char>(byte);
        const std::string found = verdict(request("GET / HTTP/1.1", "X-A: " + value + "\r\n"));
        EXPECT_EQ(found == "ok", is_field_value(value)) << byte << " at " << at << " gave " << found;
      }
    }
  }
}

TEST(H1Head, KnowsItsFieldsInAnyCase) {
  for (const char* name : {"connection",
                           "content-length",
                           "content-type",
                           "date",
                           "expect",
                           "host",
                           "keep-alive",
                           "proxy-authenticate",
                           "proxy-authorization",
                           "proxy-connection",
                           "te",
                           "traceparent",
                           "tracestate",
                           "trailer",
                           "transfer-encoding",
                           "upgrade",
                           "user-agent",
                           "x-forwarded-for",
                           "x-forwarded-proto",
                           "x-request-id"}) {
    std::string text = name;
    const Field field = field_of(text);
    EXPECT_NE(field, Field::kOther) << name;
    for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    EXPECT_EQ(field_of(text), field) << name;
    for (char& c : text) {
      const char before = std::exchange(c, '_');
      EXPECT_EQ(field_of(text), Field::kOther) << text;
      c = before;
    }
    EXPECT_EQ(field_of(text + "x"), Field::kOther);
  }
  EXPECT_EQ(field_of(""), Field::kOther);
}

TEST(H1Head, ContentLength) {
  const auto length = [](std::string_view value) {
    return post("Content-Length:" + std::string(value) + "\r\n");
  };
  for (const char* good : {" 5", "5"}) EXPECT_EQ(verdict(length(good)), "ok") << good;
  for (const char* bad : {"",
                          " ",
                          " +5",
                          " -1",
                          " -0",
                          " 05",
                          " 005",
                          " 00",
                          " 0x5",
                          " 0o5",
                          " 1_0",
                          " 1 0",
                          " 5, 5",
                          " 5,5",
                          " 5, 10",
                          " abc",
                          " 5x",
                          "  5",
                          "\t5",
                          " 5 ",
                          " 5\t",
                          " 99999999999999999999",
                          " 18446744073709551615",
                          " 9223372036854775808",
                          " \"5\"",
                          " 5;a"}) {
    EXPECT_NE(verdict(length(bad)), "ok") << bad;
    EXPECT_NE(verdict(length(bad)), "more") << bad;
  }
  expect_all({
      {post("Content-Length: 0\r\n", ""), "ok"},
      {post("", ""), "ok"},
      {length(" 10"), "more"},
      {post("Content-Length: 5\r\nContent-Length: 5\r\n"), "content-length"},
      {post("Content-Length: 5\r\nContent-Length: 10\r\n"), "content-length"},
      {post("Content_Length: 5\r\n"), "content-length"},
      {post("Content-Length: 5\r\nContent-Length : 5\r\n"), "header"},
      {request("GET / HTTP/1.1", "Content-Length: 0\r\n"), "ok"},
      {request("GET / HTTP/1.1", "Content-Length: 5\r\n", "hello"), "body"},
      {request("HEAD / HTTP/1.1", "Content-Length: 5\r\n", "hello"), "body"},
      {request("OPTIONS / HTTP/1.1", "Content-Length: 5\r\n", "hello"), "body"},
      {request("TRACE / HTTP/1.1", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), "body"},
      {request("DELETE / HTTP/1.1", "Content-Length: 5\r\n", "hello"), "ok"},
      {request("PATCH / HTTP/1.1", "Content-Length: 5\r\n", "hello"), "ok"},
  });
}

TEST(H1Head, TransferEncoding) {
  const auto coding = [](std::string_view fields) { return post(fields, "5\r\nhello\r\n0\r\n\r\n"); };
  EXPECT_EQ(verdict(coding("Transfer-Encoding: chunked\r\n")), "ok");
  EXPECT_EQ(verdict(coding("transfer-encoding:Chunked\r\n")), "ok");
  for (const char* bad : {"Transfer-Encoding: gzip",
                          "Transfer-Encoding: gzip, chunked",
                          "Transfer-Encoding: chunked, gzip",
                          "Transfer-Encoding: chunked, chunked",
                          "Transfer-Encoding: identity",
                          "Transfer-Encoding: xchunked",
                          "Transfer-Encoding: , chunked",
                          "Transfer-Encoding: chunked,",
                          "Transfer-Encoding: chunked;ext=val",
                          "Transfer-Encoding: ",
                          "Transfer-Encoding:\tchunked",
                          "Transfer-Encoding:  chunked",
                          "Transfer-Encoding: chunked ",
                          "Transfer-Encoding: \x0b"
                          "chunked",
                          "Transfer-Encoding: \x0c"
                          "chunked",
                          "Transfer-Encoding:\r\n chunked",
                          "Transfer-Encoding : chunked",
                          "Transfer_Encoding: chunked",
                          "Transfer-Encoding: \"chunked\"",
                          "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                          "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
                          "Content-Length: 5\r\nTransfer-Encoding: chunked",
                          "Transfer-Encoding: chunked\r\nContent-Length: 5",
                          "Content-Length: 5\r\nTransfer-Encoding: identity",
                          "Content-Length: 5\r\nTransfer_Encoding: chunked",
                          "Content-Length: 5\r\nTransfer-Encoding: "}) {
    const std::string found = verdict(coding(std::string(bad) + "\r\n"));
    EXPECT_TRUE(found != "ok" && found != "more") << bad << " gave " << found;
  }
  EXPECT_EQ(verdict(coding(std::string("Transfer-Encoding: chunked\0\r\n", 29))), "header");
  EXPECT_EQ(verdict(request("POST / HTTP/1.0", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n")),
            "transfer-encoding");
}

TEST(H1Head, ConnectionAndExpect) {
  const auto head_of = [](std::string bytes) {
    Parser parser(Parser::kRequest, {});
    const auto size = parser.head(bytes);
    EXPECT_TRUE(size && *size > 0) << bytes;
    return std::tuple(parser.message().keep_alive, parser.message().expect_continue);
  };
  using Decided = std::tuple<bool, bool>;
  EXPECT_EQ(head_of(request("GET / HTTP/1.1")), Decided(true, false));
  EXPECT_EQ(head_of(request("GET / HTTP/1.1", "Connection: Close\r\n")), Decided(false, false));
  EXPECT_EQ(head_of(request("GET / HTTP/1.1", "Connection: te,\r\nConnection: x , close\r\n")),
            Decided(false, false));
  EXPECT_EQ(head_of(request("GET / HTTP/1.1", "Connection: closed\r\n")), Decided(true, false));
  EXPECT_EQ(head_of(request("GET / HTTP/1.0")), Decided(false, false));
  EXPECT_EQ(head_of(request("GET / HTTP/1.0", "Connection: keep-alive\r\n")), Decided(true, false));
  EXPECT_EQ(head_of(request("GET / HTTP/1.0", "Connection: keep-alive, close\r\n")), Decided(false, false));
  EXPECT_EQ(head_of(request("GET / HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n")),
            Decided(true, false));
  EXPECT_EQ(head_of(post("Content-Length: 5\r\nExpect: 100-continue\r\n")), Decided(true, true));
  EXPECT_EQ(head_of(post("Content-Length: 5\r\nExpect: 100-Continue\r\n")), Decided(true, true));
  EXPECT_EQ(head_of(request("POST / HTTP/1.0", "Content-Length: 5\r\nExpect: 100-continue\r\n")),
            Decided(false, false));
  EXPECT_EQ(head_of(request("GET / HTTP/1.1", "Expect: 100-continue\r\n")), Decided(true, false));
  EXPECT_EQ(verdict(post("Content-Length: 5\r\nExpect: 200-ok\r\n")), "expect");
  EXPECT_EQ(verdict(post("Content-Length: 5\r\nExpect: \r\n")), "expect");
  EXPECT_EQ(verdict(post("Content-Length: 5\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n")), "expect");
  std::string many = "Connection: a";
  for (int i = 0; i < 16; ++i) many += ", a" + std::to_string(i);
  EXPECT_EQ(verdict(request("GET / HTTP/1.1", many + "\r\n")), "connection");
}

TEST(H1Head, Limits) {
  const HeadLimits small{.head_bytes_max = 1000, .target_bytes_max = 100, .headers_max = 5};
  const auto refusal = [&small](std::string_view bytes) {
    Parser parser(Parser::kRequest, small);
    const auto size = parser.head(bytes);
    if (size) return std::string("ok");
    return (size.error().code == Code::kTooLarge ? "large " : "invalid ") + size.error().field;
  };
  const std::string fields = "Host: a\r\n";
  EXPECT_EQ(refusal("GET /" + std::string(99, 'a') + " HTTP/1.1\r\n" + fields + "\r\n"), "ok");
  EXPECT_EQ(refusal("GET /" + std::string(100, 'a') + " HTTP/1.1\r\n" + fields + "\r\n"), "large target");
  EXPECT_EQ(refusal("GET /" + std::string(200, 'a')), "large target");
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\n" + fields + "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n"), "ok");
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\n" + fields + "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\n\r\n"),
            "large header");
  const std::string start = "GET / HTTP/1.1\r\n" + fields + "X: ";
  EXPECT_EQ(refusal(start + std::string(1000 - start.size() - 4, 'a') + "\r\n\r\n"), "ok");
  EXPECT_EQ(refusal(start + std::string(1000 - start.size() - 3, 'a') + "\r\n\r\n"), "large header");
  EXPECT_EQ(refusal(start + std::string(2000, 'a')), "large header");
  EXPECT_EQ(refusal(std::string(900, 'A')), "large target");
}

TEST(H1Body, Chunked) {
  const std::string last = "0\r\n\r\n";
  expect_all({
      {chunked("5\r\nhello\r\n" + last), "ok"},
      {chunked(last), "ok"},
      {chunked("A\r\nhelloworld\r\n" + last), "ok"},
      {chunked("5\r\nhello\r\n6\r\n world\r\n" + last), "ok"},
      {chunked("5;ext=value\r\nhello\r\n" + last), "ok"},
      {chunked("5;ext=\"a b\"\r\nhello\r\n0;x\r\n\r\n"), "ok"},
      {chunked("5\r\nhello\r\n0\r\nX-Checksum: abc\r\nY: \r\n\r\n"), "ok"},
      {chunked("5\r\nhello\r\n"), "more"},
      {chunked("FFFFFFFFFFFFFFFF\r\nhello"), "more"},
      {chunked("5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n"), "trailer"},
      {chunked("0\r\nTransfer-Encoding: chunked\r\n\r\n"), "trailer"},
      {chunked("0\r\nTransfer_Encoding: chunked\r\n\r\n"), "trailer"},
      {chunked("0\r\nhost: evil\r\n\r\n"), "trailer"},
      {chunked("0\r\nAuthorization: Bearer evil\r\n\r\n"), "trailer"},
      {chunked("0\r\nContent-Type: text/evil\r\n\r\n"), "trailer"},
      {chunked("0\r\nX : y\r\n\r\n"), "trailer"},
      {chunked("0\r\nX: a\rb\r\n\r\n"), "trailer"},
      {chunked("0\r\nX: a\r\n folded\r\n\r\n"), "trailer"},
      {chunked("0\r\nX: a\n\r\n"), "header"},
      {chunked("0\r\n\n"), "header"},
      {chunked("0\r\nX: " + std::string(kTrailerBytesMax, 'a') + "\r\n\r\n"), "trailer"},
      {chunked("0\r\nX: " + std::string(kTrailerBytesMax - 10, 'a') + "\r\n\r\n"), "ok"},
      {chunked("5;a=" + std::string(kChunkLineBytesMax, 'a') + "\r\nhello\r\n" + last), "body"},
      {chunked(std::string(kChunkLineBytesMax, '0') + "5\r\nhello\r\n" + last), "body"},
  });
  for (const char* bad : {"5\rhello\r\n",
                          "5\nhello\r\n",
                          "5;\r\nhello\r\n",
                          "5;a\rX\r\nhello\r\n",
                          "5;bad[=x\r\nhello\r\n",
                          "5;\nhello\r\n",
                          "0x5\r\nhello\r\n",
                          "+0\r\n\r\n",
                          "+5\r\nhello\r\n",
                          "-1\r\nhello\r\n",
                          " 5\r\nhello\r\n",
                          "5 \r\nhello\r\n",
                          "5\t\r\nhello\r\n",
                          "1_0\r\nhello world!!!!!\r\n",
                          "5\r\nhello\n",
                          "5\r\nhello0\r\n\r\n",
                          "5\r\nhello!!\r\n",
                          "5\r\nhello\rX",
                          "FFFFFFFFFFFFFFFF0\r\nhello\r\n",
                          "\r\n0\r\n\r\n",
                          "G\r\n",
                          ";a\r\n",
                          "5 ;a=b\r\nhello\r\n",
                          "5;a=\"\x01\"\r\nhello\r\n",
                          "0\r\n\rX\r\n"}) {
    const std::string found = verdict(chunked(bad));
    EXPECT_TRUE(found != "ok" && found != "more") << bad << " gave " << found;
  }
  EXPECT_EQ(verdict(chunked(std::string("5;\0ext\r\nhello\r\n", 15))), "body");
}

TEST(H1Body, PayloadPointsIntoTheInput) {
  Parser parser(Parser::kRequest, {});
  const std::string head = post("Transfer-Encoding: chunked\r\n", "");
  ASSERT_EQ(parser.head(head).value(), head.size());
  const std::string body = "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET";
  auto piece = parser.body(body).value();
  EXPECT_EQ(piece.payload, "hello");
  EXPECT_EQ(piece.payload.data(), body.data() + 3);
  EXPECT_FALSE(piece.done);
  std::string_view rest = std::string_view(body).substr(piece.consumed);
  piece = parser.body(rest).value();
  EXPECT_EQ(piece.payload, " world");
  rest.remove_prefix(piece.consumed);
  piece = parser.body(rest).value();
  EXPECT_TRUE(piece.done);
  EXPECT_EQ(rest.substr(piece.consumed), "GET");
  EXPECT_TRUE(parser.finish());
}

TEST(H1Response, Framing) {
  const auto framing = [](std::string_view bytes, bool to_head = false) -> std::string {
    Parser parser(Parser::kResponse, {});
    parser.reset(to_head);
    const auto size = parser.head(bytes);
    if (!size) return size.error().field;
    const Head& head = parser.message();
    static constexpr std::string_view kNames[] = {"none", "length", "chunked", "close"};
    return std::string(kNames[static_cast<int>(head.framing)]) + (head.keep_alive ? " keep" : " end");
  };
  EXPECT_EQ(framing("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), "length keep");
  EXPECT_EQ(framing("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true), "none keep");
  EXPECT_EQ(framing("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), "chunked keep");
  EXPECT_EQ(framing("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true), "none keep");
  EXPECT_EQ(framing("HTTP/1.1 200\r\nConnection: close\r\nContent-Length: 5\r\n\r\n"), "length end");
  EXPECT_EQ(framing("HTTP/1.1 200 \r\n\r\n"), "close end");
  EXPECT_EQ(framing("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n"), "length end");
  EXPECT_EQ(framing("HTTP/1.1 204 No Content\r\n\r\n"), "none keep");
  EXPECT_EQ(framing("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"), "none keep");
  EXPECT_EQ(framing("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"), "none keep");
  EXPECT_EQ(framing("HTTP/1.1 100 Continue\r\n\r\n"), "none keep");
  EXPECT_EQ(framing("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"), "status");
  EXPECT_EQ(framing("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
            "status");
  EXPECT_EQ(framing("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n"), "content-length");
  EXPECT_EQ(framing("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"), "transfer-encoding");
  for (const char* bad :
       {"HTTP/1.1 99 X\r\n\r\n", "HTTP/1.1 600 X\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n", "HTTP/2 200\r\n\r\n", "ICY 200 OK\r\n\r\n",
        "HTTP/1.1 200 O\x01K\r\n\r\n", "HTTP/1.1 200 OK\n\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 abc\r\n\r\n"}) {
    EXPECT_EQ(framing(bad).find(' '), std::string::npos) << bad << " gave " << framing(bad);
  }
}

TEST(H1Response, EndOfConnection) {
  const auto ends_well = [](std::string_view head, std::string_view body) {
    Parser parser(Parser::kResponse, {});
    EXPECT_TRUE(parser.head(head).value() > 0);
    EXPECT_TRUE(parser.body(body));
    return parser.finish();
  };
  EXPECT_TRUE(ends_well("HTTP/1.1 200 OK\r\n\r\n", "until the end"));
  EXPECT_TRUE(ends_well("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "ab"));
  EXPECT_FALSE(ends_well("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "ab"));
  EXPECT_FALSE(ends_well("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "2\r\nab\r\n"));
  Parser parser(Parser::kResponse, {});
  EXPECT_FALSE(parser.finish());
}

// Messages whose every cut must read like the whole.
std::vector<std::pair<Parser::Kind, std::string>> streams() {
  const std::string pipeline = request("GET /a HTTP/1.1", "X-Long: some value here\r\n") +
                               post("Content-Length: 5\r\nExpect: 100-continue\r\n") +
                               chunked("5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n") +
                               request("GET /b HTTP/1.0", "Connection: close\r\n");
  return {
      {Parser::kRequest, pipeline},
      {Parser::kRequest, post("Content-Length: 5\r\n", "helloGET / HTTP/1.1\r\n")},
      {Parser::kRequest, chunked("5\r\nhello!\r\n0\r\n\r\n")},
      {Parser::kRequest, chunked("5\r\nhello\r\n0\r\nHost: x\r\n\r\n")},
      {Parser::kRequest, request("GET / HTTP/1.1", "X : y\r\n")},
      {Parser::kRequest, "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n"},
      {Parser::kRequest, "GET / HTTP/1.1\rX\r\nHost: a\r\n\r\n"},
      {Parser::kRequest, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n"},
      {Parser::kResponse,
       "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: "
       "chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
       "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n\r\nto the end"},
  };
}

TEST(H1Streams, EveryCutReadsLikeTheWhole) {
  for (const auto& [kind, bytes] : streams()) {
    const Transcript whole = read_stream(kind, {bytes});
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
      const std::string_view view(bytes);
      const Transcript pieces = read_stream(kind, {view.substr(0, cut), view.substr(cut)});
      ASSERT_TRUE(pieces == whole) << "cut at " << cut << " of " << bytes << "\n"
                                   << pieces.messages << whole.messages;
    }
    std::vector<std::string_view> bytewise;
    for (std::size_t i = 0; i < bytes.size(); ++i) bytewise.push_back(std::string_view(bytes).substr(i, 1));
    ASSERT_TRUE(read_stream(kind, bytewise) == whole) << bytes;
  }
}

TEST(H1Streams, PipelinedMessagesReadLikeSingleOnes) {
  const std::vector<std::string> messages = {
      request("GET /a HTTP/1.1"),        post("Content-Length: 5\r\n"), chunked("5\r\nhello\r\n0\r\n\r\n"),
      post("Content-Length: 0\r\n", ""), chunked("0\r\nA: b\r\n\r\n"),  request("OPTIONS * HTTP/1.1")};
  for (const std::string& first : messages) {
    for (const std::string& second : messages) {
      const Transcript together = read_stream(Parser::kRequest, {first + second});
      EXPECT_EQ(together.messages, read_stream(Parser::kRequest, {first}).messages +
                                       read_stream(Parser::kRequest, {second}).messages);
      EXPECT_TRUE(together.complete);
    }
  }
}

}  // namespace
}  // namespace tidegate::http
