#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/listener/acceptor.h"
#include "http/write.h"

namespace tidegate::listener {
namespace {

using std::chrono::milliseconds;

struct Seen {
  std::string method;
  std::string target;
  std::string body;
};

// An acceptor whose exchange answers 200 with the body it got, and a raw client.
class SessionTest : public testing::Test {
 public:
  SessionTest() {
    limits_.body_bytes_max = 3'000'000;
    limits_.head_timeout = limits_.body_timeout = milliseconds(60);
    limits_.idle_timeout = milliseconds(200);
  }

  net::Task<bool> answer(Session& session, const Request& request) {
    seen_.push_back(
        {std::string(request.head.method), std::string(request.head.target), std::string(request.body)});
    volatile char padding =
        *(request.body.data() + request.body.size() + 63);  // the promised slack may be read
    (void)padding;
    std::string out;
    http::append_status_line(out, 200);
    http::append_field(out, "content-length", request.body.size());
    http::end_head(out);
    out += request.body;
    const bool keep = request.head.keep_alive;
    const Result<void> sent = co_await session.stream().write_all(out);
    co_return keep&& sent.has_value();
  }

  // Sends the pieces with a pause between them, then reads to the end.
  net::Task<void> talk(net::Address to, std::vector<std::string> pieces, Duration pause) {
    Result<net::Stream> stream = co_await net::Stream::connect(loop_, to, loop_.now() + milliseconds(1000));
    EXPECT_TRUE(stream.has_value());
    net::Alarm alarm(loop_);
    for (const std::string& piece : pieces) {
      const Result<void> sent = co_await stream->write_all(piece);
      if (!sent) break;
      if (pause > Duration::zero()) co_await alarm.after(pause);
    }
    char buffer[16384];
    while (true) {
      const Result<std::size_t> got = co_await stream->read_some(buffer, sizeof buffer);
      if (!got || *got == 0) break;
      reply_.append(buffer, *got);
    }
  }

  std::string run(std::vector<std::string> pieces, Duration pause = Duration::zero()) {
    Acceptor::Hooks hooks;
    hooks.exchange = [this](Session& session, const Request& request) { return answer(session, request); };
    hooks.refused = [this](int status) { refused_.push_back(status); };
    hooks.connections = [this](int delta) { connections_ += delta; };
    Acceptor acceptor(loop_, buffers_, limits_, 16, hooks);
    EXPECT_TRUE(acceptor.listen(*net::Address::parse("127.0.0.1:0")).has_value());
    net::TaskGroup group;
    auto all = [](SessionTest& test, Acceptor& on, std::vector<std::string> what,
                  Duration between) -> net::Task<void> {
      co_await test.talk(on.address(), std::move(what), between);
      co_await on.drain(test.loop_.now() + milliseconds(500));
      test.loop_.stop();
    };
    group.spawn(all(*this, acceptor, std::move(pieces), pause));
    loop_.run();
    EXPECT_EQ(connections_, 0);
    return reply_;
  }

  net::Loop loop_;
  net::BufferPool buffers_;
  Limits limits_;
  std::vector<Seen> seen_;
  std::vector<int> refused_;
  std::string reply_;
  int connections_ = 0;
};

std::string post(const std::string& body, const std::string& more = "") {
  return "POST /v1/completions HTTP/1.1\r\nHost: t\r\n" + more +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST_F(SessionTest, ReadsABodyOfAnySize) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{16'200}, std::size_t{16'384},
                                 std::size_t{100'000}, std::size_t{2'999'999}}) {
    seen_.clear();
    reply_.clear();
    std::string body(size, 'x');
    for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>('a' + i % 26);
    const std::string reply = run({post(body, "Connection: close\r\n")});
    ASSERT_EQ(seen_.size(), 1u) << size;
    EXPECT_TRUE(seen_[0].body == body) << size;
    EXPECT_TRUE(reply.ends_with(body)) << size;
  }
}

TEST_F(SessionTest, ServesPipelinedRequestsInOrder) {
  const std::string reply = run(
      {post("one") + post("two") + post(std::string(20'000, 'z')) + post("end", "Connection: close\r\n")});
  ASSERT_EQ(seen_.size(), 4u);
  EXPECT_EQ(seen_[0].body, "one");
  EXPECT_EQ(seen_[1].body, "two");
  EXPECT_EQ(seen_[2].body.size(), 20'000u);
  EXPECT_EQ(seen_[3].body, "end");
}

TEST_F(SessionTest, ReadsRequestsThatArriveByteByByte) {
  limits_.head_timeout = limits_.body_timeout = std::chrono::seconds(5);
  std::vector<std::string> bytes;
  for (const char c : post("hello", "Connection: close\r\n")) bytes.emplace_back(1, c);
  run(bytes, std::chrono::microseconds(200));
  ASSERT_EQ(seen_.size(), 1u);
  EXPECT_EQ(seen_[0].body, "hello");
}

TEST_F(SessionTest, DecodesChunkedBodiesAndGoesOnAfterThem) {
  std::string chunked = "POST /a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
  std::string body;
  for (int i = 1; i < 400; ++i) {
    const std::string piece(static_cast<std::size_t>(i), static_cast<char>('a' + i % 26));
    http::append_chunk(chunked, piece);
    body += piece;
  }
  chunked += http::kLastChunk;
  run({chunked + post("next", "Connection: close\r\n")});
  ASSERT_EQ(seen_.size(), 2u);
  EXPECT_TRUE(seen_[0].body == body);
  EXPECT_EQ(seen_[1].body, "next");
}

TEST_F(SessionTest, SaysContinueBeforeTheBody) {
  const std::string request = post("later", "Expect: 100-continue\r\nConnection: close\r\n");
  const std::string head = request.substr(0, request.size() - 5);
  const std::string reply = run({head, "later"}, milliseconds(20));
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")) << reply;
}

TEST_F(SessionTest, RefusesWhatIsTooLarge) {
  limits_.body_bytes_max = 1000;
  EXPECT_TRUE(run({post(std::string(1001, 'x'))}).starts_with("HTTP/1.1 413"));
  reply_.clear();
  std::string chunked = "POST /a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
  http::append_chunk(chunked, std::string(1001, 'x'));
  EXPECT_TRUE(run({chunked}).starts_with("HTTP/1.1 413"));
  reply_.clear();
  EXPECT_TRUE(run({"GET / HTTP/1.1\r\nHost: t\r\nX: " + std::string(70'000, 'y') + "\r\n\r\n"})
                  .starts_with("HTTP/1.1 431"));
  EXPECT_TRUE(seen_.empty());
  EXPECT_EQ(refused_, (std::vector<int>{413, 413, 431}));
}

TEST_F(SessionTest, RefusesWhatIsMalformedWithAnOpenAiError) {
  const std::string reply = run({"GET / HTTP/1.1\r\nHost: t\r\nBad Header: x\r\n\r\n"});
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 400")) << reply;
  EXPECT_NE(reply.find("Connection: close"), std::string::npos);
  EXPECT_NE(reply.find("{\"error\":{\"message\":"), std::string::npos) << reply;
}

TEST_F(SessionTest, DoesNotWaitForEver) {
  EXPECT_TRUE(run({"POST / HTTP/1.1\r\nHost: t\r\nContent-Le"}).starts_with("HTTP/1.1 408"));
  reply_.clear();
  EXPECT_TRUE(run({post(std::string(50'000, 'x')).substr(0, 30'000)}).starts_with("HTTP/1.1 408"));
  reply_.clear();
  EXPECT_EQ(run({""}), "") << "an idle connection is closed without a word";
}

TEST_F(SessionTest, ABodyThatDribblesIsGivenUp) {
  const std::string head = "POST /v1/completions HTTP/1.1\r\nHost: t\r\n";
  for (const char* framing : {"Content-Length: 1000\r\n\r\n", "Content-Length: 100000\r\n\r\n",
                              "Transfer-Encoding: chunked\r\n\r\n3e8\r\n"}) {
    reply_.clear();
    refused_.clear();
    std::vector<std::string> pieces(20, "x");  // no pause is as long as body_timeout
    pieces.front() = head + framing;
    EXPECT_TRUE(run(std::move(pieces), milliseconds(15)).starts_with("HTTP/1.1 408")) << framing;
    EXPECT_EQ(refused_, std::vector<int>{408}) << framing;
  }
  EXPECT_TRUE(seen_.empty());
}

TEST_F(SessionTest, DrainEndsIdleConnectionsWhenTheirClientsHadTimeToLearnOfIt) {
  limits_.idle_timeout = std::chrono::hours(1);
  Acceptor::Hooks hooks;
  hooks.exchange = [this](Session& session, const Request& request) { return answer(session, request); };
  hooks.refused = [](int) {};
  hooks.connections = [](int) {};
  Acceptor acceptor(loop_, buffers_, limits_, 16, hooks);
  ASSERT_TRUE(acceptor.listen(*net::Address::parse("127.0.0.1:0")).has_value());
  net::TaskGroup group;
  auto all = [](SessionTest& test, Acceptor& on) -> net::Task<void> {
    Result<net::Stream> idle =
        co_await net::Stream::connect(test.loop_, on.address(), test.loop_.now() + milliseconds(1000));
    net::Alarm alarm(test.loop_);
    co_await alarm.after(milliseconds(10));
    EXPECT_EQ(on.connections(), 1u);
    const TimePoint before = test.loop_.now();
    co_await on.drain(before + std::chrono::seconds(10));
    EXPECT_GE(test.loop_.now() - before, kDrainIdle);
    EXPECT_LT(test.loop_.now() - before, std::chrono::seconds(5));
    test.loop_.stop();
  };
  group.spawn(all(*this, acceptor));
  loop_.run();
}

}  // namespace
}  // namespace tidegate::listener
