// The public HTTP/1.1 probe's cases against the parser and against a server on a real socket: h1_cases.tsv
// beside this file.

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "http/server.h"
#include "http/testing/transcript.h"

namespace tidegate::http {
namespace {

struct Case {
  std::string name;
  std::string verdict;
  std::string bytes;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '{') {
      const std::size_t star = text.find('*', i);
      const std::size_t close = text.find('}', i);
      const int times = std::stoi(std::string(text.substr(i + 1, star - i - 1)));
      const std::string once = unescape(text.substr(star + 1, close - star - 1));
      for (int n = 0; n < times; ++n) out += once;
      i = close;
    } else if (text[i] != '\\') {
      out.push_back(text[i]);
    } else {
      switch (text[++i]) {
        case 'r':
          out.push_back('\r');
          break;
        case 'n':
          out.push_back('\n');
          break;
        case 't':
          out.push_back('\t');
          break;
        case '0':
          out.push_back('\0');
          break;
        case 'x':
          out.push_back(static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16)));
          i += 2;
          break;
        default:
          out.push_back(text[i]);
      }
    }
  }
  return out;
}

std::vector<Case> load() {
  std::vector<Case> cases;
  std::ifstream file("tests/conformance/h1_cases.tsv");
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') continue;
    const std::size_t first = line.find('\t');
    const std::size_t second = line.find('\t', first + 1);
    const std::string_view rest =
        second == std::string::npos ? "" : std::string_view(line).substr(second + 1);
    cases.push_back({line.substr(0, first), line.substr(first + 1, second - first - 1),
                     unescape(rest.substr(0, rest.find('\t')))});
  }
  return cases;
}

// What the parser alone says. A status is the server's policy: the parser accepts.
std::string parser_verdict(const testing::Transcript& read, std::string_view bytes) {
  if (read.refused) return "refuse";
  return read.complete && !bytes.empty() ? "accept" : "wait";
}

TEST(H1Conformance, TheListIsThere) { EXPECT_EQ(load().size(), 200u); }

class H1Conformance : public ::testing::TestWithParam<Case> {};

TEST_P(H1Conformance, Parser) {
  const Case& c = GetParam();
  const std::string expected = c.verdict == "501" ? "accept" : c.verdict;
  EXPECT_EQ(parser_verdict(testing::read_stream(Parser::kRequest, {c.bytes}), c.bytes), expected) << c.bytes;
  if (c.bytes.size() > 2000) return;
  std::vector<std::string_view> bytewise;
  for (std::size_t i = 0; i < c.bytes.size(); ++i) bytewise.push_back(std::string_view(c.bytes).substr(i, 1));
  EXPECT_EQ(parser_verdict(testing::read_stream(Parser::kRequest, bytewise), c.bytes), expected)
      << "byte by byte";
}

net::Task<void> answer(Request&, Responder& responder) {
  (void)co_await responder.respond(200, "text/plain", "ok");
}

// Everything that a server sends back for `bytes`. The client never closes first: a server that waits ends it
// by its own clock.
net::Task<void> play(net::Loop& loop, Server& server, net::Address address, const std::string& bytes,
                     std::string& heard) {
  {
    Result<net::Stream> stream =
        co_await net::Stream::connect(loop, address, loop.now() + std::chrono::seconds(5));
    if (stream) {
      stream->set_deadline(loop.now() + std::chrono::seconds(5));
      // A refusal may come, and the connection end, while this is still being written.
      const Result<void> sent = co_await stream->write_all(bytes);
      char buffer[4096];
      while (sent || heard.empty()) {
        const Result<std::size_t> got = co_await stream->read_some(buffer, sizeof buffer);
        if (!got || *got == 0) break;
        heard.append(buffer, *got);
      }
    }
  }
  co_await server.drain(std::chrono::seconds(5));
  loop.stop();
}

TEST_P(H1Conformance, Server) {
  const Case& c = GetParam();
  net::Loop loop;
  ServerOptions options;
  options.header_timeout = options.body_timeout = options.idle_timeout = std::chrono::milliseconds(40);
  Server server(loop, answer, options);
  const net::Address address = *server.listen(*net::Address::parse("127.0.0.1:0"));
  std::string heard;
  net::TaskGroup group;
  group.spawn(play(loop, server, address, c.bytes, heard));
  loop.run();

  // The last answer decides: earlier ones are for sound requests in the same stream.
  std::size_t last = heard.rfind("HTTP/1.1 ");
  while (last != std::string::npos && last > 0 &&
         std::isdigit(static_cast<unsigned char>(heard[last + 9])) == 0) {
    last = heard.rfind("HTTP/1.1 ", last - 1);  // an error's message speaks of the version too
  }
  const int status = last == std::string::npos ? 0 : std::stoi(heard.substr(last + 9, 3));
  if (c.verdict == "accept") {
    EXPECT_EQ(status, 200) << heard;
  } else if (c.verdict == "refuse") {
    EXPECT_TRUE(status >= 400 && status < 500 && status != 408) << heard;
    EXPECT_NE(heard.find("Connection: close", last), std::string::npos) << heard;
  } else if (c.verdict == "wait") {
    EXPECT_TRUE(status == 0 || status == 408 || status == 413) << heard;
  } else {
    EXPECT_EQ(std::to_string(status), c.verdict) << heard;
  }
}

INSTANTIATE_TEST_SUITE_P(Http11Probe, H1Conformance, ::testing::ValuesIn(load()), [](const auto& c) {
  std::string name = c.param.name;
  for (char& letter : name) {
    if (std::isalnum(static_cast<unsigned char>(letter)) == 0) letter = '_';
  }
  return name;
});

}  // namespace
}  // namespace tidegate::http
