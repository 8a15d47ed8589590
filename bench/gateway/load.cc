// The rig's client: many keep-alive connections on one thread.
//
//   rig_load --target 127.0.0.1:8080 --mode closed --connections 64 --seconds 3 --body-bytes 1024
//   rig_load ... --mode rate --rate 5000         open loop: Poisson arrivals from a seed, latency counts from
//                                                the intended moment
//   rig_load ... --mode sse --connections 200    streams back to back, latency per event from the engine's
//   "t" rig_load ... --requests 2000                 ends after that many, when it comes to counting
//   instructions
//
// Prints one JSON object: requests, errors, seconds, rate, events, latencies in microseconds. An error is an
// answer other than 200, a broken answer or a lost connection; a lost connection is made anew.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "message_reader.h"

namespace tidegate::rig {
namespace {

struct Options {
  std::string address = "127.0.0.1";
  int port = 8080;
  std::string host = "test.com";
  std::string path = "/v1/chat/completions";
  std::string model = "lora-request";
  std::string mode = "closed";
  int connections = 64;
  double rate = 1000;
  double seconds = 3;
  std::uint64_t requests = UINT64_MAX;
  std::size_t body_bytes = 1024;
};

std::int64_t now_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

std::string request_text(const Options& options) {
  std::string body = R"({"model":")" + options.model + R"(",)" +
                     (options.mode == "sse" ? R"("stream":true,)" : "") +
                     R"("max_tokens":10,"temperature":0,"messages":[{"role":"user","content":")";
  const std::string end = R"("}]})";
  constexpr std::string_view kText = "Write an SQL query for the tide tables of every harbour. ";
  while (body.size() + end.size() < options.body_bytes) {
    body += kText.substr(0, options.body_bytes - body.size() - end.size());
  }
  body += end;
  return "POST " + options.path + " HTTP/1.1\r\nHost: " + options.host +
         "\r\nUser-Agent: tidegate-rig/1\r\nAccept: */*\r\nContent-Type: "
         "application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

struct Connection {
  int socket = -1;
  bool busy = false;
  bool blocked = false;    // waiting for room to send
  std::int64_t since = 0;  // the moment from which this request's latency counts
  std::size_t sent = 0;
  bool ok = false;
  MessageReader reader;
  std::string line;  // of an event stream, as far as it has come
};

class Load {
 public:
  explicit Load(Options options)
      : options_(std::move(options)),
        request_(request_text(options_)),
        epoll_(::epoll_create1(0)),
        connections_(static_cast<std::size_t>(options_.connections)) {
    latencies_.reserve(1 << 20);
  }

  int run() {
    started_ = now_ns();
    const std::int64_t end = started_ + static_cast<std::int64_t>(options_.seconds * 1e9);
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      if (!connect(i)) return 1;
    }
    if (options_.mode == "rate") {
      next_arrival_ = now_ns();
    } else {
      for (std::size_t i = 0; i < connections_.size(); ++i) send(i, now_ns());
    }
    std::array<epoll_event, 256> events;
    while (true) {
      const std::int64_t now = now_ns();
      if (now >= end || requests_ >= options_.requests) break;
      const std::int64_t until = options_.mode == "rate" ? std::min(end, arrivals(now)) : end;
      const std::int64_t left = std::max<std::int64_t>(0, until - now_ns());
      const timespec wait{left / 1'000'000'000, left % 1'000'000'000};
      const int count = ::epoll_pwait2(epoll_, events.data(), events.size(), &wait, nullptr);
      for (int i = 0; i < count; ++i) {
        const std::size_t index = events[static_cast<std::size_t>(i)].data.u64;
        if ((events[static_cast<std::size_t>(i)].events & EPOLLOUT) != 0) send_more(index);
        if ((events[static_cast<std::size_t>(i)].events & ~std::uint32_t{EPOLLOUT}) != 0) on_readable(index);
      }
    }
    print(static_cast<double>(now_ns() - started_) / 1e9);
    return 0;
  }

 private:
  bool connect(std::size_t index) {
    Connection& connection = connections_[index];
    connection = Connection{};
    connection.socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(options_.port));
    ::inet_pton(AF_INET, options_.address.c_str(), &address.sin_addr);
    if (::connect(connection.socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      std::fprintf(stderr, "rig_load: %s:%d: %s\n", options_.address.c_str(), options_.port,
                   std::strerror(errno));
      return false;
    }
    const int on = 1;
    ::setsockopt(connection.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = index;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.socket, &event);
    idle_.push_back(index);
    return true;
  }

  void lose(std::size_t index) {
    ++errors_;
    ::close(connections_[index].socket);
    std::erase(idle_, index);
    if (!connect(index)) std::exit(1);
    proceed(index);
  }

  // Sends what is due; the moment of the next arrival.
  std::int64_t arrivals(std::int64_t now) {
    while (next_arrival_ <= now) {
      if (idle_.empty()) {
        waiting_.push_back(next_arrival_);
      } else {
        send(idle_.back(), next_arrival_);
      }
      next_arrival_ += static_cast<std::int64_t>(-std::log(1 - unit_(random_)) / options_.rate * 1e9) + 1;
    }
    return next_arrival_;
  }

  void send(std::size_t index, std::int64_t since) {
    Connection& connection = connections_[index];
    std::erase(idle_, index);
    connection.busy = true;
    connection.since = since;
    connection.sent = 0;
    connection.reader.reset();
    send_more(index);
  }

  void send_more(std::size_t index) {
    Connection& connection = connections_[index];
    while (connection.busy && connection.sent < request_.size()) {
      const ssize_t sent = ::send(connection.socket, request_.data() + connection.sent,
                                  request_.size() - connection.sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) break;  // no room, or a loss that the reading side will meet
      connection.sent += static_cast<std::size_t>(sent);
    }
    const bool blocked = connection.busy && connection.sent < request_.size();
    if (blocked == connection.blocked) return;
    connection.blocked = blocked;
    epoll_event event{};
    event.events = EPOLLIN | (blocked ? std::uint32_t{EPOLLOUT} : 0);
    event.data.u64 = index;
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.socket, &event);
  }

  void on_readable(std::size_t index) {
    Connection& connection = connections_[index];
    const ssize_t got = ::recv(connection.socket, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0 || !connection.busy) return lose(index);
    const std::int64_t now = now_ns();
    connection.reader.feed(
        {buffer_.data(), static_cast<std::size_t>(got)},
        [&](std::string_view head) { connection.ok = head.substr(8, 5) == " 200 "; },
        [&](std::string_view piece) {
          if (options_.mode == "sse") on_stream(connection, piece, now);
        });
    if (!connection.reader.done()) return;
    if (!connection.ok) ++errors_;
    ++requests_;
    latencies_.push_back(static_cast<float>(static_cast<double>(now - connection.since) / 1e3));
    connection.busy = false;
    idle_.push_back(index);
    proceed(index);
  }

  void proceed(std::size_t index) {
    if (options_.mode != "rate") {
      send(index, now_ns());
    } else if (!waiting_.empty()) {
      const std::int64_t since = waiting_.front();
      waiting_.pop_front();
      send(index, since);
    }
  }

  void on_stream(Connection& connection, std::string_view piece, std::int64_t now) {
    while (!piece.empty()) {
      const std::size_t end = piece.find('\n');
      connection.line.append(piece.substr(0, end));
      if (end == std::string_view::npos) return;
      piece.remove_prefix(end + 1);
      if (connection.line.starts_with("data:")) {
        const std::size_t at = connection.line.rfind("\"t\":");
        std::int64_t sent = 0;
        if (at != std::string::npos) {
          std::from_chars(connection.line.data() + at + 4, connection.line.data() + connection.line.size(),
                          sent);
          ++events_;
          event_latencies_.push_back(static_cast<float>(static_cast<double>(now - sent) / 1e3));
        }
      }
      connection.line.clear();
    }
  }

  static void print_quantiles(const char* name, std::vector<float>& values) {
    std::sort(values.begin(), values.end());
    const auto at = [&](double share) -> double {
      if (values.empty()) return 0;
      return values[std::min(values.size() - 1,
                             static_cast<std::size_t>(share * static_cast<double>(values.size())))];
    };
    std::printf("\"%s\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f}", name, at(.5),
                at(.9), at(.99), at(.999), at(1));
  }

  void print(double seconds) {
    std::printf(
        "{\"requests\":%llu,\"errors\":%llu,\"seconds\":%.4f,\"rate\":%.1f,\"events\":%llu,\"left\":%zu,",
        static_cast<unsigned long long>(requests_), static_cast<unsigned long long>(errors_), seconds,
        static_cast<double>(requests_) / seconds, static_cast<unsigned long long>(events_), waiting_.size());
    print_quantiles("latency_us", latencies_);
    std::printf(",");
    print_quantiles("event_latency_us", event_latencies_);
    std::printf("}\n");
  }

  Options options_;
  std::string request_;
  int epoll_;
  std::vector<Connection> connections_;
  std::vector<std::size_t> idle_;
  std::deque<std::int64_t> waiting_;  // arrivals that found no idle connection
  std::int64_t started_ = 0;
  std::int64_t next_arrival_ = 0;
  std::mt19937_64 random_{42};
  std::uniform_real_distribution<double> unit_{0, 1};
  std::uint64_t requests_ = 0;
  std::uint64_t errors_ = 0;
  std::uint64_t events_ = 0;
  std::vector<float> latencies_;
  std::vector<float> event_latencies_;
  std::array<char, 64 * 1024> buffer_;
};

}  // namespace
}  // namespace tidegate::rig

int main(int argc, char** argv) {
  tidegate::rig::Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const std::string value = argv[i + 1];
    if (name == "--target") {
      options.address = value.substr(0, value.find(':'));
      options.port = std::stoi(value.substr(value.find(':') + 1));
    } else if (name == "--host") {
      options.host = value;
    } else if (name == "--path") {
      options.path = value;
    } else if (name == "--model") {
      options.model = value;
    } else if (name == "--mode") {
      options.mode = value;
    } else if (name == "--connections") {
      options.connections = std::stoi(value);
    } else if (name == "--rate") {
      options.rate = std::stod(value);
    } else if (name == "--seconds") {
      options.seconds = std::stod(value);
    } else if (name == "--requests") {
      options.requests = std::stoull(value);
    } else if (name == "--body-bytes") {
      options.body_bytes = std::stoul(value);
    } else {
      std::fprintf(stderr, "rig_load: unknown option %s\n", argv[i]);
      return 2;
    }
  }
  return std::make_unique<tidegate::rig::Load>(options)->run();
}
