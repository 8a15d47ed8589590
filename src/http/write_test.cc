#include "http/write.h"

#include <gtest/gtest.h>

#include "http/grammar.h"
#include "http/h1.h"
#include "http/target.h"

namespace tidegate::http {
namespace {

// Every byte at every place of values of every length around a word.
TEST(Grammar, FieldValues) {
  for (std::size_t size = 1; size <= 25; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        for (const char around : {'a', '\x80', '\xff', ' ', '\t'}) {
          std::string value(size, around);
          value[at] = static_cast<char>(byte);
          const bool sound = (byte >= 0x20 || byte == '\t') && byte != 0x7f;
          ASSERT_EQ(is_field_value(value), sound) << size << " " << at << " " << byte;
        }
      }
    }
  }
  EXPECT_TRUE(is_field_value(""));
}

TEST(Write, ARequestHeadReadsBack) {
  std::string out;
  append_request_line(out, "POST", "/v1/completions");
  append_field(out, "Host", "10.0.0.1:8000");
  append_field(out, "Content-Length", 1234567890123u);
  end_head(out);
  EXPECT_EQ(out,
            "POST /v1/completions HTTP/1.1\r\nHost: 10.0.0.1:8000\r\nContent-Length: 1234567890123\r\n\r\n");
  Parser parser(Parser::kRequest, {});
  EXPECT_EQ(parser.head(out).value(), out.size());
  EXPECT_EQ(parser.message().content_length, 1234567890123u);
}

TEST(Write, StatusLines) {
  std::string out;
  append_status_line(out, 200);
  append_status_line(out, 429);
  append_status_line(out, 299);
  append_status_line(out, 200, "Fine");
  EXPECT_EQ(
      out,
      "HTTP/1.1 200 OK\r\nHTTP/1.1 429 Too Many Requests\r\nHTTP/1.1 299 Unknown\r\nHTTP/1.1 200 Fine\r\n");
}

TEST(Write, NoValueCanStartAField) {
  std::string out;
  append_field(out, "X", std::string("a\r\nEvil: 1\0\x7f\tb", 14));
  EXPECT_EQ(out, "X: a??Evil: 1??\tb\r\n");
  out.clear();
  append_status_line(out, 200, "O\r\n");
  EXPECT_EQ(out, "HTTP/1.1 200 O??\r\n");
}

TEST(Write, Chunks) {
  EXPECT_EQ(ChunkLine(1).text(), "1\r\n");
  EXPECT_EQ(ChunkLine(0x1a2b).text(), "1a2b\r\n");
  EXPECT_EQ(ChunkLine(~std::size_t{0}).text(), "ffffffffffffffff\r\n");
  std::string out;
  append_chunk(out, "hello");
  append_chunk(out, "");
  EXPECT_EQ(out, "5\r\nhello\r\n");
}

TEST(Write, Dates) {
  DateText date;
  const WallTime example{std::chrono::seconds(784111777)};
  EXPECT_EQ(date.text(example), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(date.text(example + std::chrono::milliseconds(999)), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(date.text(example + std::chrono::seconds(1)), "Sun, 06 Nov 1994 08:49:38 GMT");
  EXPECT_EQ(date.text(WallTime{std::chrono::seconds(951782400)}), "Tue, 29 Feb 2000 00:00:00 GMT");
}

TEST(Write, HopFields) {
  Head head;
  head.headers = {{"Connection", "close, X-Drop ,, keep-alive"}, {"connection", "y-drop"}, {"X-Keep", "1"}};
  const HopFields hop(head);
  for (const char* name :
       {"connection", "Keep-Alive", "TE", "trailer", "Transfer-Encoding", "UPGRADE", "proxy-connection",
        "Proxy-Authorization", "Proxy-Authenticate", "x-drop", "Y-Drop"}) {
    EXPECT_TRUE(hop.contains({name, ""})) << name;
  }
  for (const char* name : {"X-Keep", "Host", "Content-Length", "Authorization", "x", "drop"}) {
    EXPECT_FALSE(hop.contains({name, ""})) << name;
  }
}

TEST(Target, Forms) {
  const auto origin = split_target("/v1/models?limit=5&x").value();
  EXPECT_EQ(origin.path, "/v1/models");
  EXPECT_EQ(origin.query, "limit=5&x");
  EXPECT_TRUE(origin.has_query);
  EXPECT_TRUE(split_target("/a?").value().has_query);
  EXPECT_FALSE(split_target("/a").value().has_query);
  const auto absolute = split_target("HTTP://a.example:80/x?y").value();
  EXPECT_EQ(absolute.scheme, "HTTP");
  EXPECT_EQ(absolute.authority, "a.example:80");
  EXPECT_EQ(absolute.path, "/x");
  EXPECT_EQ(absolute.query, "y");
  EXPECT_EQ(split_target("http://a").value().path, "/");
  EXPECT_EQ(split_target("http://a?q").value().query, "q");
  EXPECT_EQ(split_target("*").value().path, "*");
  EXPECT_EQ(split_target("/a//b/../c%2fd").value().path, "/a//b/../c%2fd");
}

TEST(Target, Refusals) {
  for (const std::string& bad : {std::string(),
                                 std::string("a"),
                                 std::string("/a#b"),
                                 std::string("/a b"),
                                 std::string("/a\\b"),
                                 std::string("/\0", 2),
                                 std::string("/%00"),
                                 std::string("/%0a"),
                                 std::string("/%7F"),
                                 std::string("/%"),
                                 std::string("/%4"),
                                 std::string("/%4g"),
                                 std::string("/a?b#c"),
                                 std::string("/a?b\x01"),
                                 std::string("/\x80"),
                                 std::string("http://"),
                                 std::string("http://u@a/"),
                                 std::string("ftp://a/"),
                                 std::string("http://a#b"),
                                 std::string("//a\x7f"),
                                 std::string("**")}) {
    const auto target = split_target(bad);
    ASSERT_FALSE(target) << bad;
    EXPECT_EQ(target.error().field, "target");
  }
}

TEST(Target, DotSegments) {
  for (const char* path : {"/..", "/.", "/a/../b", "/a/./b", "/a/..", "/%2e%2E/x", "/a%2f..%2fb", "/a\\..\\b",
                           "/a%5c.%5cb", "/.%2e"}) {
    EXPECT_TRUE(has_dot_segments(path)) << path;
  }
  for (const char* path : {"/", "/...", "/a.b", "/.a", "/a.", "//", "/v1.0/..x", "/%2e%2e%2e"}) {
    EXPECT_FALSE(has_dot_segments(path)) << path;
  }
}

TEST(Target, Escapes) {
  EXPECT_EQ(percent_decode("a%20b+%C3%A9").value(), "a b+\xC3\xA9");
  EXPECT_FALSE(percent_decode("%0"));
  EXPECT_FALSE(percent_decode("%0a"));
  EXPECT_EQ(percent_encode("a b/c~\xC3"), "a%20b%2Fc~%C3");
}

TEST(Target, Parameters) {
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(query_parameters("a=1&b=x%3Dy+z&&c&a=2=3").value(),
            (Pairs{{"a", "1"}, {"b", "x=y z"}, {"c", ""}, {"a", "2=3"}}));
  EXPECT_TRUE(query_parameters("").value().empty());
  EXPECT_FALSE(query_parameters("a=%zz"));
  std::string many;
  for (int i = 0; i < 257; ++i) many += "a=1&";
  EXPECT_EQ(query_parameters(many).error().code, Code::kTooLarge);
  EXPECT_EQ(query_value("a=1&watch=true&watch=false", "watch"), "true");
  EXPECT_EQ(query_value("a=1", "b"), std::nullopt);
}

}  // namespace
}  // namespace tidegate::http
