#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/upstream/pool.h"

namespace tidegate::upstream {
namespace {

using std::chrono::milliseconds;

// An endpoint that reads a request's head and sends prepared bytes, once per request, then closes or stays.
struct Script {
  std::vector<std::string> answers;
  bool close_after = false;
};

class UpstreamTest : public testing::Test {
 public:
  UpstreamTest() : pool_(loop_, buffers_, limits_) {}

  net::Task<void> endpoint(net::Listener& listener, Script script) {
    Result<net::Stream> client = co_await listener.accept();
    if (!client) co_return;
    char buffer[4096];
    for (const std::string& answer : script.answers) {
      const Result<std::size_t> got = co_await client->read_some(buffer, sizeof buffer);
      if (!got || *got == 0) co_return;
      const Result<void> sent = co_await client->write_all(answer);
      if (!sent) co_return;
    }
    if (script.close_after) co_return;
    co_await client->read_some(buffer, sizeof buffer);
  }

  net::Task<std::string> get(Connection& connection) {
    std::string request = "GET / HTTP/1.1\r\nHost: e\r\n\r\n";
    iovec piece{request.data(), request.size()};
    const Result<void> sent = co_await connection.send(&piece, 1, false);
    if (!sent) co_return "send: " + sent.error().message;
    const Result<const http::Head*> head = co_await connection.read_head();
    if (!head) co_return "head: " + head.error().message;
    std::string body = std::to_string((*head)->status) + " ";
    std::vector<std::string_view> pieces;
    while (true) {
      pieces.clear();
      const Result<bool> done = co_await connection.read_body(pieces);
      for (const std::string_view part : pieces) body += part;
      if (!done) co_return body + " broke: " + done.error().message;
      if (*done) co_return body;
    }
  }

  void run(net::Task<void> task) {
    net::TaskGroup group;
    auto all = [](net::Loop& loop, net::Task<void> inner) -> net::Task<void> {
      co_await inner;
      loop.stop();
    };
    group.spawn(all(loop_, std::move(task)));
    loop_.run();
  }

  net::Loop loop_;
  net::BufferPool buffers_;
  PoolLimits limits_;
  Pool pool_;
};

std::string with_length(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST_F(UpstreamTest, UsesAConnectionAgain) {
  run([](UpstreamTest& t) -> net::Task<void> {
    net::Listener listener = *net::Listener::bind(t.loop_, *net::Address::parse("127.0.0.1:0"));
    net::TaskGroup endpoints;
    endpoints.spawn(t.endpoint(listener, {{with_length("one"), with_length("two")}}));
    Result<std::unique_ptr<Connection>> made = co_await t.pool_.connect(listener.address(), TimePoint::max());
    EXPECT_TRUE(made.has_value());
    const std::string first = co_await t.get(**made);
    EXPECT_EQ(first, "200 one");
    t.pool_.give_back(*std::move(made));
    EXPECT_EQ(t.pool_.resting(), 1u);
    std::unique_ptr<Connection> again = t.pool_.take(listener.address());
    EXPECT_TRUE(again != nullptr);
    const std::string second = co_await t.get(*again);
    EXPECT_EQ(second, "200 two");
    EXPECT_TRUE(again->used_before());
    again.reset();
    co_await endpoints.wait_empty();
  }(*this));
}

TEST_F(UpstreamTest, DropsARestingConnectionThatTheEndpointCloses) {
  run([](UpstreamTest& t) -> net::Task<void> {
    net::Listener listener = *net::Listener::bind(t.loop_, *net::Address::parse("127.0.0.1:0"));
    net::TaskGroup endpoints;
    endpoints.spawn(t.endpoint(listener, {{with_length("one")}, true}));
    Result<std::unique_ptr<Connection>> made = co_await t.pool_.connect(listener.address(), TimePoint::max());
    const std::string first = co_await t.get(**made);
    t.pool_.give_back(*std::move(made));
    net::Alarm alarm(t.loop_);
    co_await alarm.after(milliseconds(20));
    EXPECT_EQ(t.pool_.resting(), 0u);
    EXPECT_TRUE(t.pool_.take(listener.address()) == nullptr);
    co_await endpoints.wait_empty();
  }(*this));
}

TEST_F(UpstreamTest, ReadsEveryFramingAndRefusesHalfAnswers) {
  struct Case {
    std::string answer;
    std::string expected;
  };
  const std::vector<Case> cases = {
      {with_length("abc"), "200 abc"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
       "200 abcde"},
      {"HTTP/1.1 200 OK\r\n\r\nuntil close", "200 until close"},
      {"HTTP/1.1 100 Continue\r\n\r\n" + with_length("after"), "200 after"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "200 "},
      {"HTTP/1.1 204 No Content\r\n\r\n", "204 "},
      {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "200 half broke: "},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "200  broke: "},
      {"nonsense\r\n\r\n", "head: "},
      {"", "head: "},
  };
  for (const Case& one : cases) {
    run([](UpstreamTest& t, const Case& c) -> net::Task<void> {
      net::Listener listener = *net::Listener::bind(t.loop_, *net::Address::parse("127.0.0.1:0"));
      net::TaskGroup endpoints;
      endpoints.spawn(t.endpoint(listener, {{c.answer}, true}));
      Result<std::unique_ptr<Connection>> made =
          co_await t.pool_.connect(listener.address(), TimePoint::max());
      const std::string got = co_await t.get(**made);
      EXPECT_TRUE(got.starts_with(c.expected)) << c.answer << " -> " << got;
      const bool clean = got == c.expected;
      EXPECT_TRUE(clean || !(*made)->reusable())
          << "a broken answer must not leave a connection for the next request";
      made->reset();
      co_await endpoints.wait_empty();
    }(*this, one));
  }
}

}  // namespace
}  // namespace tidegate::upstream
