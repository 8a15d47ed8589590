#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <numeric>
#include <thread>

#include "net/address.h"
#include "net/loop.h"
#include "net/signals.h"
#include "net/stream.h"
#include "net/task.h"

namespace tidegate::net {
namespace {

using std::chrono::milliseconds;

Address loopback() { return *Address::parse("127.0.0.1:0"); }

// Runs one task to its end on a loop of its own.
void run(Loop& loop, Task<void> task) {
  TaskGroup group;
  auto all = [](Loop& on, Task<void> inner) -> Task<void> {
    co_await inner;
    on.stop();
  };
  group.spawn(all(loop, std::move(task)));
  loop.run();
  EXPECT_TRUE(group.empty());
}

TEST(Address, ReadsAndWrites) {
  EXPECT_EQ(Address::parse("10.0.0.5:8000")->text(), "10.0.0.5:8000");
  EXPECT_EQ(Address::parse("[fd00::5]:80")->text(), "[fd00::5]:80");
  EXPECT_TRUE(Address::parse("127.3.2.1:1")->is_loopback());
  for (const char* text : {"", "10.0.0.5", "10.0.0.5:", "10.0.0.5:99999", "fd00::5:80", "[10.0.0.5]:80",
                           "host:80", "1.2.3.4:-1"}) {
    EXPECT_FALSE(Address::parse(text).has_value()) << text;
  }
}

Task<int> sum_to(int n) {
  if (n == 0) co_return 0;
  const int rest = co_await sum_to(n - 1);
  co_return n + rest;
}

TEST(Task, ChainsAndReturnsValues) {
  Loop loop;
  run(loop, []() -> Task<void> {
    const int sum = co_await sum_to(100);
    EXPECT_EQ(sum, 5050);
  }());
}

TEST(Task, AMillionChildrenThatNeverWaitUseNoStack) {
  Loop loop;
  run(loop, []() -> Task<void> {
    long total = 0;
    for (int i = 0; i < 1'000'000; ++i) total += co_await sum_to(1);
    EXPECT_EQ(total, 1'000'000);
  }());
}

TEST(Timer, RingsInOrderAndMovesLaterForNothing) {
  Loop loop;
  std::vector<int> rung;
  Timer first(loop, [&] { rung.push_back(1); });
  Timer second(loop, [&] {
    rung.push_back(2);
    loop.stop();
  });
  first.arm(loop.now() + milliseconds(1));
  second.arm(loop.now() + milliseconds(20));
  first.arm(loop.now() + milliseconds(10));
  Timer never(loop, [&] { rung.push_back(3); });
  never.arm(loop.now() + milliseconds(5));
  never.disarm();
  loop.run();
  EXPECT_EQ(rung, (std::vector<int>{1, 2}));
}

TEST(Alarm, CancelEndsTheWait) {
  Loop loop;
  Alarm alarm(loop);
  Timer canceller(loop, [&] { alarm.cancel(); });
  canceller.arm(loop.now() + milliseconds(2));
  run(loop, [](Alarm& waits) -> Task<void> {
    EXPECT_FALSE(co_await waits.after(std::chrono::hours(1)));
    EXPECT_FALSE(co_await waits.after(std::chrono::hours(1))) << "later waits end at once";
  }(alarm));
}

TEST(Loop, WorkPostedByAnotherThreadRuns) {
  Loop loop;
  int ran = 0;
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) loop.post([&] { ++ran; });
    loop.stop();
  });
  loop.run();
  other.join();
  EXPECT_EQ(ran, 1000);
}

Task<void> echo(Listener& listener) {
  Result<Stream> client = co_await listener.accept();
  EXPECT_TRUE(client.has_value());
  char buffer[4096];
  while (true) {
    const Result<std::size_t> got = co_await client->read_some(buffer, sizeof buffer);
    if (!got || *got == 0) break;
    const Result<void> sent = co_await client->write_all(std::string_view(buffer, *got));
    if (!sent) break;
  }
}

Task<std::string> read_exactly(Stream& stream, std::size_t size) {
  std::string text(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    const Result<std::size_t> got = co_await stream.read_some(text.data() + have, size - have);
    if (!got || *got == 0) break;
    have += *got;
  }
  text.resize(have);
  co_return text;
}

// Both ends of a connection, without a network.
struct Pair {
  explicit Pair(Loop& loop) {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    near = Stream::adopt(loop, fds[0], loopback());
    far = fds[1];
  }
  ~Pair() { ::close(far); }
  void tell(std::string_view text) const {
    EXPECT_EQ(::write(far, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  Stream near;
  int far;
};

TEST(Stream, TakesABufferOnlyWhenThereIsSomethingToRead) {
  Loop loop;
  Pair pair(loop);
  BufferPool pool;
  Buffer buffer;
  Timer later(loop, [&] {
    EXPECT_FALSE(buffer);
    pair.tell("hello");
  });
  later.arm(loop.now() + milliseconds(5));
  run(loop, [](Stream& stream, BufferPool& buffers, Buffer& into) -> Task<void> {
    const Result<std::size_t> got = co_await stream.read_into(buffers, into);
    EXPECT_EQ(std::string_view(into.data(), got.value_or(0)), "hello");
  }(pair.near, pool, buffer));
  EXPECT_TRUE(buffer);
}

TEST(Stream, AbortReachesAReadThatIsOverButNotYetDelivered) {
  Loop loop;
  Pair one(loop);
  Pair other(loop);
  std::vector<Code> failures;
  int read = 0;
  const auto first_ends_the_other = [&](Stream& mine, Stream& others) -> Task<void> {
    char byte;
    const Result<std::size_t> got = co_await mine.read_some(&byte, 1);
    if (!got) {
      failures.push_back(got.error().code);
      loop.stop();
      co_return;
    }
    ++read;
    others.abort();
  };
  TaskGroup group;
  group.spawn(first_ends_the_other(one.near, other.near));
  group.spawn(first_ends_the_other(other.near, one.near));
  one.tell("1");  // both are there when the loop first looks
  other.tell("2");
  loop.run();
  EXPECT_EQ(read, 1);
  EXPECT_EQ(failures, std::vector<Code>{Code::kCancelled});
  EXPECT_TRUE(group.empty());
}

TEST(Stream, CarriesWhatIsWritten) {
  Loop loop;
  Listener listener = *Listener::bind(loop, loopback());
  TaskGroup group;
  group.spawn(echo(listener));
  run(loop, [](Loop& on, Address address, TaskGroup& echoes) -> Task<void> {
    Result<Stream> stream = co_await Stream::connect(on, address, on.now() + milliseconds(1000));
    EXPECT_TRUE(stream.has_value());
    std::string big(3'000'000, 'x');
    std::iota(big.begin(), big.end(), 0);
    // Written beside the reading, as the echo would otherwise block both.
    TaskGroup writers;
    auto write = [](Stream& to, std::string bytes) -> Task<void> {
      iovec pieces[3] = {{bytes.data(), 10}, {bytes.data(), 0}, {bytes.data() + 10, bytes.size() - 10}};
      const Result<void> sent = co_await to.write_all(pieces, 3);
      EXPECT_TRUE(sent.has_value());
    };
    writers.spawn(write(*stream, big));
    const std::string back = co_await read_exactly(*stream, big.size());
    EXPECT_TRUE(back == big);
    co_await writers.wait_empty();
    stream->close();
    co_await echoes.wait_empty();
  }(loop, listener.address(), group));
}

TEST(Stream, RefusedConnectionSaysSo) {
  Loop loop;
  Address free_port;
  { free_port = Listener::bind(loop, loopback())->address(); }
  run(loop, [](Loop& on, Address address) -> Task<void> {
    const Result<Stream> stream = co_await Stream::connect(on, address, on.now() + milliseconds(1000));
    EXPECT_FALSE(stream.has_value());
    if (!stream) {
      EXPECT_EQ(stream.error().code, Code::kUnavailable);
      EXPECT_NE(stream.error().message.find("refused"), std::string::npos) << stream.error().message;
    }
  }(loop, free_port));
}

TEST(Stream, DeadlineEndsAWaitEvenIfItPassedEarlier) {
  Loop loop;
  Listener listener = *Listener::bind(loop, loopback());
  run(loop, [](Loop& on, Listener& from) -> Task<void> {
    Result<Stream> stream = co_await Stream::connect(on, from.address(), on.now() + milliseconds(1000));
    stream->set_deadline(on.now() + milliseconds(5));
    Alarm alarm(on);
    co_await alarm.after(milliseconds(15));
    char buffer[16];
    const Result<std::size_t> got = co_await stream->read_some(buffer, sizeof buffer);
    EXPECT_FALSE(got.has_value());
    if (!got) {
      EXPECT_EQ(got.error().code, Code::kDeadline);
    }
  }(loop, listener));
}

TEST(Stream, AbortEndsAWait) {
  Loop loop;
  Listener listener = *Listener::bind(loop, loopback());
  run(loop, [](Loop& on, Listener& from) -> Task<void> {
    Result<Stream> stream = co_await Stream::connect(on, from.address(), on.now() + milliseconds(1000));
    Timer timer(on, [&] { stream->abort(); });
    timer.arm(on.now() + milliseconds(2));
    char buffer[16];
    const Result<std::size_t> got = co_await stream->read_some(buffer, sizeof buffer);
    EXPECT_FALSE(got.has_value());
    if (!got) {
      EXPECT_EQ(got.error().code, Code::kCancelled);
    }
  }(loop, listener));
}

TEST(Stream, TellsOfAPeerThatLeavesWhileNobodyReads) {
  Loop loop;
  Listener listener = *Listener::bind(loop, loopback());
  run(loop, [](Loop& on, Listener& from) -> Task<void> {
    Result<Stream> left = co_await Stream::connect(on, from.address(), on.now() + milliseconds(1000));
    Result<Stream> stays = co_await from.accept();
    Alarm alarm(on);
    bool told = false;
    EXPECT_TRUE(stays->on_hangup([&] {
      told = true;
      alarm.ring_now();
    }));
    left->close();
    co_await alarm.after(milliseconds(2000));
    EXPECT_TRUE(told);
    EXPECT_FALSE(stays->on_hangup([] {})) << "it has already happened";
    char buffer[16];
    const Result<std::size_t> got = co_await stays->read_some(buffer, sizeof buffer);
    EXPECT_EQ(got.value_or(99), 0u);
  }(loop, listener));
}

TEST(Stream, ReadableWaitsWithoutABuffer) {
  Loop loop;
  Listener listener = *Listener::bind(loop, loopback());
  run(loop, [](Loop& on, Listener& from) -> Task<void> {
    Result<Stream> one = co_await Stream::connect(on, from.address(), on.now() + milliseconds(1000));
    Result<Stream> other = co_await from.accept();
    const Result<void> sent = co_await one->write_all("hello");
    EXPECT_TRUE(sent.has_value());
    const Result<std::size_t> ready = co_await other->readable();
    EXPECT_TRUE(ready.has_value());
    const std::string text = co_await read_exactly(*other, 5);
    EXPECT_EQ(text, "hello");
  }(loop, listener));
}

TEST(Listener, PortInUseSaysWhatToDo) {
  Loop loop;
  const Listener first = *Listener::bind(loop, loopback());
  const Result<Listener> second = Listener::bind(loop, first.address());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Code::kConflict);
}

TEST(Signals, ArriveAsValues) {
  Loop loop;
  Signals signals(loop, {SIGUSR2});
  Timer timer(loop, [] { raise(SIGUSR2); });
  timer.arm(loop.now() + milliseconds(1));
  run(loop, [](Signals& from) -> Task<void> {
    const int number = co_await from.next();
    EXPECT_EQ(number, SIGUSR2);
  }(signals));
}

}  // namespace
}  // namespace tidegate::net
