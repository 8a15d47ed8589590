#include "http/server.h"

#include <list>
#include <utility>
#include <vector>

#include "http/server_session.h"

namespace tidegate::http {
namespace {

// When descriptors have run out, others must first be closed.
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);

void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out.push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.append(1, '\\').append(1, c);
    } else if (byte < 0x20 || byte >= 0x7f) {
      out.append("\\u00").append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

}  // namespace

struct Server::State {
  State(net::Loop& the_loop, Handler the_handler, ServerOptions the_options)
      : loop(the_loop),
        handler(std::move(the_handler)),
        options(std::move(the_options)),
        context{loop, handler, options, options.clock ? *options.clock : system_clock, {}} {}

  struct Door {
    net::Listener listener;
    std::shared_ptr<const net::TlsServer> tls;
  };

  net::Task<void> accept_from(Door& door);
  net::Task<void> serve(std::list<Session>::iterator session);
  net::Task<void> turn_away(net::Stream stream);

  net::Loop& loop;
  SystemClock system_clock;
  Handler handler;
  ServerOptions options;
  SessionContext context;
  std::list<Door> doors;
  std::list<Session> sessions;
  net::TaskGroup tasks;
};

net::Task<void> Server::State::accept_from(Door& door) {
  net::Alarm pause(loop);
  while (!context.draining) {
    Result<net::Stream> stream = co_await door.listener.accept();
    if (!stream) {
      if (stream.error().code != Code::kExhausted) break;
      co_await pause.after(kAcceptPause);
    } else if (sessions.size() >= options.connections_max) {
      // With TLS even a refusal would cost a handshake: the connection just ends.
      if (!door.tls) tasks.spawn(turn_away(*std::move(stream)));
    } else {
      sessions.emplace_back(context, *std::move(stream), door.tls.get());
      tasks.spawn(serve(std::prev(sessions.end())));
    }
  }
}

net::Task<void> Server::State::serve(std::list<Session>::iterator session) {
  co_await session->run();
  sessions.erase(session);
}

net::Task<void> Server::State::turn_away(net::Stream stream) {
  static constexpr std::string_view kBusy =
      "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  stream.set_deadline(loop.now() + std::chrono::seconds(1));
  const Result<void> sent = co_await stream.write_all(kBusy);
  if (sent) {
    stream.finish_writing();
    char ignored[4096];
    (void)co_await stream.read_some(ignored, sizeof ignored);
  }
}

Server::Server(net::Loop& loop, Handler handler, ServerOptions options)
    : state_(std::make_unique<State>(loop, std::move(handler), std::move(options))) {}

Server::~Server() = default;

Result<net::Address> Server::listen(const net::Address& address, net::ListenOptions options,
                                    std::shared_ptr<const net::TlsServer> tls) {
  Result<net::Listener> listener = net::Listener::bind(state_->loop, address, options);
  if (!listener) return tl::unexpected(listener.error());
  State::Door& door = state_->doors.emplace_back(State::Door{*std::move(listener), std::move(tls)});
  state_->tasks.spawn(state_->accept_from(door));
  return door.listener.address();
}

net::Task<void> Server::drain(Duration grace) {
  State& s = *state_;
  s.context.draining = true;
  for (State::Door& door : s.doors) door.listener.abort();
  for (Session& session : s.sessions) session.retire();
  net::Timer patience(s.loop, [&s] {
    // A session may end, and leave the list, while it is cut.
    for (auto next = s.sessions.begin(); next != s.sessions.end();) (next++)->cut();
  });
  patience.arm(s.loop.now() + grace);
  co_await s.tasks.wait_empty();
  s.doors.clear();
}

std::size_t Server::connections() const { return state_->sessions.size(); }

std::string openai_error_body(int status, const Error& error) {
  std::string out = "{\"error\":{\"message\":";
  append_json_string(out, describe(error));
  out += ",\"type\":";
  out += status >= 500 ? "\"server_error\"" : "\"invalid_request_error\"";
  out += ",\"param\":";
  if (error.field.empty()) {
    out += "null";
  } else {
    append_json_string(out, error.field);
  }
  out += ",\"code\":" + std::to_string(status) + "}}";
  return out;
}

}  // namespace tidegate::http
