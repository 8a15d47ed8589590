// The rig's engine: answers like vLLM at almost no cost, so that what is measured is the proxy.
//
//   rig_upstream --port 8000 [--addresses 10] [--tokens 100] [--interval-ms 20] [--page-bytes 0]
//
// Listens on 127.0.1.1 and up, one address per engine. A completion is a fixed answer of about 300 bytes with
// usage, naming the model asked for; with "stream":true it is `tokens` events, one each interval, each
// carrying the time at which it was sent ("t", monotonic nanoseconds), and usage as vLLM gives it where the
// request asks. /metrics shows what a picker reads. One thread, epoll; ends on SIGTERM.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "message_reader.h"

namespace tidegate::rig {
namespace {

constexpr std::size_t kKeptBody = 4096;  // where model, stream and options are looked for

struct Options {
  int port = 8000;
  int addresses = 10;
  int page_bytes = 0;  // the metrics page is filled up to here with histograms, as vLLM's is
  int tokens = 100;
  double interval_ms = 20;
};

std::int64_t now_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

bool says_true(std::string_view body, std::string_view key) {
  const std::size_t at = body.find("\"" + std::string(key) + "\"");
  if (at == std::string_view::npos) return false;
  const std::size_t value = body.find_first_not_of(": ", at + key.size() + 2);
  return value != std::string_view::npos && body.substr(value, 4) == "true";
}

std::string text_of(std::string_view body, std::string_view key) {
  std::size_t at = body.find("\"" + std::string(key) + "\"");
  if (at == std::string_view::npos) return "none";
  at = body.find('"', at + key.size() + 2);
  const std::size_t end = body.find('"', at + 1);
  return at == std::string_view::npos || end == std::string_view::npos
             ? "none"
             : std::string(body.substr(at + 1, end - at - 1));
}

std::string with_length(std::string_view type, std::string_view body) {
  return "HTTP/1.1 200 OK\r\nContent-Type: " + std::string(type) +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

std::string chunk(std::string_view data) {
  std::array<char, 20> size;
  const int length = std::snprintf(size.data(), size.size(), "%zx\r\n", data.size());
  return std::string(size.data(), static_cast<std::size_t>(length)).append(data).append("\r\n");
}

struct Connection {
  int socket = -1;
  int engine = 0;
  std::uint64_t serial = 0;  // of this connection; a timer of an older one finds another number
  MessageReader reader;
  std::string head;
  std::string body;    // its first kKeptBody bytes
  std::string unsent;  // what the peer did not take yet
  std::string model;
  int tokens_left = 0;
  int tokens_sent = 0;
  bool usage_at_end = false;
  bool usage_always = false;
  bool blocked = false;  // waiting for room to send
};

class Server {
 public:
  explicit Server(Options options) : options_(options), epoll_(::epoll_create1(0)) {
    for (int i = 0; i < options_.addresses; ++i) listen_on(i);
  }

  void run() {
    std::array<epoll_event, 256> events;
    while (true) {
      timespec wait{};
      timespec* limit = nullptr;
      if (!timers_.empty()) {
        const std::int64_t left = std::max<std::int64_t>(0, timers_.top().at - now_ns());
        wait = {left / 1'000'000'000, left % 1'000'000'000};
        limit = &wait;
      }
      const int count = ::epoll_pwait2(epoll_, events.data(), events.size(), limit, nullptr);
      for (int i = 0; i < count; ++i) on_event(events[static_cast<std::size_t>(i)]);
      for (const std::int64_t now = now_ns(); !timers_.empty() && timers_.top().at <= now;) {
        const Timer timer = timers_.top();
        timers_.pop();
        tick(timer);
      }
    }
  }

 private:
  struct Timer {
    std::int64_t at;
    int socket;
    std::uint64_t serial;
    bool operator<(const Timer& other) const { return at > other.at; }
  };

  void listen_on(int index) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(options_.port));
    address.sin_addr.s_addr = htonl(0x7F000101u + static_cast<unsigned>(index));  // 127.0.1.1 and up
    if (::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
        ::listen(socket, 1024) != 0) {
      std::fprintf(stderr, "rig_upstream: 127.0.1.%d:%d: %s\n", index + 1, options_.port,
                   std::strerror(errno));
      std::exit(1);
    }
    if (listeners_.size() <= static_cast<std::size_t>(socket))
      listeners_.resize(static_cast<std::size_t>(socket) + 1, -1);
    listeners_[static_cast<std::size_t>(socket)] = index;
    running_.push_back(0);
    watch(socket, EPOLLIN, EPOLL_CTL_ADD);
  }

  void watch(int socket, std::uint32_t what, int how) {
    epoll_event event{};
    event.events = what;
    event.data.fd = socket;
    ::epoll_ctl(epoll_, how, socket, &event);
  }

  void on_event(const epoll_event& event) {
    const auto at = static_cast<std::size_t>(event.data.fd);
    if (at < listeners_.size() && listeners_[at] >= 0) {
      accept_all(event.data.fd, listeners_[at]);
      return;
    }
    if (at >= connections_.size() || !connections_[at]) return;
    Connection& connection = *connections_[at];
    if ((event.events & EPOLLOUT) != 0 && !flush(connection)) return close(connection);
    if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) on_readable(connection);
  }

  void accept_all(int listener, int engine) {
    while (true) {
      const int socket = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (socket < 0) return;
      const int on = 1;
      ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      const auto at = static_cast<std::size_t>(socket);
      if (connections_.size() <= at) connections_.resize(at + 1);
      connections_[at] = std::make_unique<Connection>();
      connections_[at]->socket = socket;
      connections_[at]->engine = engine;
      connections_[at]->serial = ++serial_;
      watch(socket, EPOLLIN, EPOLL_CTL_ADD);
    }
  }

  void close(Connection& connection) {
    if (connection.tokens_left > 0) --running_[static_cast<std::size_t>(connection.engine)];
    const int socket = connection.socket;
    connections_[static_cast<std::size_t>(socket)].reset();
    ::close(socket);
  }

  void on_readable(Connection& connection) {
    const ssize_t got = ::recv(connection.socket, buffer_.data(), buffer_.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return close(connection);
    std::string_view data(buffer_.data(), static_cast<std::size_t>(got));
    while (!data.empty()) {
      data.remove_prefix(connection.reader.feed(
          data, [&](std::string_view head) { connection.head = head; },
          [&](std::string_view piece) {
            if (connection.body.size() < kKeptBody) {
              connection.body.append(piece.substr(0, kKeptBody - connection.body.size()));
            }
          }));
      if (!connection.reader.done()) continue;
      answer(connection);
      connection.reader.reset();
      connection.body.clear();
    }
    if (!flush(connection)) close(connection);
  }

  void answer(Connection& connection) {
    if (connection.head.starts_with("GET /metrics")) {
      connection.unsent +=
          with_length("text/plain; version=0.0.4; charset=utf-8", metrics(connection.engine));
    } else if (connection.head.starts_with("GET /v1/models")) {
      connection.unsent +=
          with_length("application/json",
                      R"({"object":"list","data":[{"id":"base","object":"model","owned_by":"vllm"}]})");
    } else if (connection.head.starts_with("GET ")) {
      connection.unsent += with_length("text/plain", "");
    } else if (says_true(connection.body, "stream")) {
      start_stream(connection);
    } else {
      connection.unsent += with_length(
          "application/json",
          R"({"id":"cmpl-0123456789abcdef0123456789abcdef","object":"chat.completion","created":1700000000,"model":")" +
              text_of(connection.body, "model") +
              R"(","choices":[{"index":0,"message":{"role":"assistant","content":"The tide is high but I am holding on."},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":120,"total_tokens":130,"completion_tokens":10}})");
    }
  }

  void start_stream(Connection& connection) {
    connection.model = text_of(connection.body, "model");
    connection.usage_at_end = says_true(connection.body, "include_usage");
    connection.usage_always = says_true(connection.body, "continuous_usage_stats");
    connection.tokens_left = options_.tokens;
    connection.tokens_sent = 0;
    ++running_[static_cast<std::size_t>(connection.engine)];
    // The last header turns nginx's buffering off for this answer.
    connection.unsent +=
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nX-Accel-Buffering: no\r\n"
        "Transfer-Encoding: chunked\r\n\r\n";
    arm(connection, now_ns());
  }

  void arm(Connection& connection, std::int64_t from) {
    timers_.push(
        {from + static_cast<std::int64_t>(options_.interval_ms * 1e6), connection.socket, connection.serial});
  }

  void tick(const Timer& timer) {
    const auto at = static_cast<std::size_t>(timer.socket);
    if (at >= connections_.size() || !connections_[at] || connections_[at]->serial != timer.serial) return;
    Connection& connection = *connections_[at];
    --connection.tokens_left;
    ++connection.tokens_sent;
    connection.unsent += chunk(event(connection));
    if (connection.tokens_left == 0) {
      --running_[static_cast<std::size_t>(connection.engine)];
      if (connection.usage_at_end) {
        connection.unsent +=
            chunk(R"(data: {"id":"cmpl-1","object":"chat.completion.chunk","created":1700000000,"model":")" +
                  connection.model + R"(","choices":[],"usage":)" + usage(connection) + "}\n\n");
      }
      connection.unsent += chunk("data: [DONE]\n\n") + "0\r\n\r\n";
    } else {
      arm(connection, timer.at);
    }
    if (!flush(connection)) close(connection);
  }

  std::string usage(const Connection& connection) const {
    return R"({"prompt_tokens":120,"total_tokens":)" + std::to_string(120 + connection.tokens_sent) +
           R"(,"completion_tokens":)" + std::to_string(connection.tokens_sent) + "}";
  }

  std::string event(const Connection& connection) const {
    std::string text =
        R"(data: {"id":"cmpl-1","object":"chat.completion.chunk","created":1700000000,"model":")" +
        connection.model +
        R"(","choices":[{"index":0,"delta":{"content":" tide"},"logprobs":null,"finish_reason":)" +
        (connection.tokens_left == 0 ? R"("length")" : "null") + "}]";
    if (connection.usage_always) {
      text += R"(,"usage":)" + usage(connection);
    } else if (connection.usage_at_end) {
      text += R"(,"usage":null)";
    }
    return text + R"(,"t":)" + std::to_string(now_ns()) + "}\n\n";
  }

  std::string metrics(int engine) const {
    const std::string labels = R"({engine="0",model_name="base"} )";
    const std::string running = std::to_string(running_[static_cast<std::size_t>(engine)]);
    return "# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running" + labels + running +
           "\n# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting" + labels +
           "0\n# TYPE vllm:kv_cache_usage_perc gauge\nvllm:kv_cache_usage_perc" + labels +
           "0.1\n# TYPE vllm:lora_requests_info "
           "gauge\nvllm:lora_requests_info{max_lora=\"4\",running_lora_adapters="
           "\"\",waiting_lora_adapters=\"\"} " +
           std::to_string(static_cast<double>(::time(nullptr))) + "\n" + histograms_;
  }

  static std::string histograms_of(int bytes) {
    std::string text;
    for (int i = 0; static_cast<int>(text.size()) < bytes; ++i) {
      text += "vllm:e2e_request_latency_seconds_bucket{engine=\"0\",le=\"" + std::to_string(i) +
              ".0\",model_name=\"base\"} 123.0\n";
    }
    return text;
  }

  // False if the peer is gone.
  bool flush(Connection& connection) {
    while (!connection.unsent.empty()) {
      const ssize_t sent =
          ::send(connection.socket, connection.unsent.data(), connection.unsent.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && errno == EAGAIN) {
        if (!connection.blocked) watch(connection.socket, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
        connection.blocked = true;
        return true;
      }
      if (sent <= 0) return false;
      connection.unsent.erase(0, static_cast<std::size_t>(sent));
    }
    if (connection.blocked) watch(connection.socket, EPOLLIN, EPOLL_CTL_MOD);
    connection.blocked = false;
    return true;
  }

  Options options_;
  int epoll_;
  std::uint64_t serial_ = 0;
  std::vector<int> listeners_;                            // by socket: the engine's number, or -1
  std::vector<int> running_;                              // by engine: streams open
  std::vector<std::unique_ptr<Connection>> connections_;  // by socket
  std::priority_queue<Timer> timers_;
  std::array<char, 256 * 1024> buffer_;
  std::string histograms_ = histograms_of(options_.page_bytes);
};

}  // namespace
}  // namespace tidegate::rig

int main(int argc, char** argv) {
  tidegate::rig::Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--port") options.port = std::atoi(argv[i + 1]);
    if (name == "--addresses") options.addresses = std::atoi(argv[i + 1]);
    if (name == "--page-bytes") options.page_bytes = std::atoi(argv[i + 1]);
    if (name == "--tokens") options.tokens = std::atoi(argv[i + 1]);
    if (name == "--interval-ms") options.interval_ms = std::atof(argv[i + 1]);
  }
  std::make_unique<tidegate::rig::Server>(options)->run();
}
