#include "gateway/request_head.h"

#include <gtest/gtest.h>

#include <string>

#include "http/h1.h"

namespace tidegate::gateway {
namespace {

std::string copied(const std::string& fields, std::string_view without = {}) {
  const std::string bytes = "HTTP/1.1 204 No Content\r\n" + fields + "\r\n";
  http::Parser parser(http::Parser::kResponse, {});
  EXPECT_EQ(parser.head(bytes).value_or(0), bytes.size()) << bytes;
  std::string out = "> ";
  append_fields(out, {}, parser.message().headers,
                [&](const http::Header& header) { return header.name != without; });
  return out;
}

TEST(RequestHead, CopiesFieldsThatPassInOneForm) {
  EXPECT_EQ(copied(""), "> ");
  EXPECT_EQ(copied("A: 1\r\nB: 2\r\nC: 3\r\n"), "> A: 1\r\nB: 2\r\nC: 3\r\n");
  EXPECT_EQ(copied("A: 1\r\nB: 2\r\nC: 3\r\n", "A"), "> B: 2\r\nC: 3\r\n");
  EXPECT_EQ(copied("A: 1\r\nB: 2\r\nC: 3\r\n", "B"), "> A: 1\r\nC: 3\r\n");
  EXPECT_EQ(copied("A: 1\r\nB: 2\r\nC: 3\r\n", "C"), "> A: 1\r\nB: 2\r\n");
  // However it was spaced, it goes on as "name: value".
  EXPECT_EQ(copied("A:1\r\nB:  2\r\nC:\t3\r\nD: 4 \r\nE: 5\r\nF:\r\nG: \r\nH: 8\r\n"),
            "> A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\nF: \r\nG: \r\nH: 8\r\n");
}

TEST(RequestHead, TakesTextBeforeTheFirstFieldAlong) {
  const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n";
  http::Parser parser(http::Parser::kRequest, {});
  ASSERT_EQ(parser.head(bytes).value_or(0), bytes.size());
  const std::string_view line = std::string_view(bytes).substr(0, 16);
  const auto written = [&](std::string_view without) {
    std::string out;
    append_fields(out, line, parser.message().headers,
                  [&](const http::Header& header) { return header.name != without; });
    return out;
  };
  EXPECT_EQ(written(""), "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n");
  EXPECT_EQ(written("Host"), "GET / HTTP/1.1\r\nX: 1\r\n");
  EXPECT_EQ(written("X"), "GET / HTTP/1.1\r\nHost: a\r\n");
}

}  // namespace
}  // namespace tidegate::gateway
