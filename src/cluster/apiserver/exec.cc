#include "cluster/apiserver/exec.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/ascii.h"
#include "cluster/apiserver/websocket.h"
#include "http/head.h"
#include "resource/fields.h"
#include "resource/json.h"

namespace tidegate::apiserver {
namespace {

using resource::Json;

constexpr std::size_t kMessageMax = 1024 * 1024;
constexpr std::size_t kPieceBytes = 32 * 1024;
constexpr std::size_t kInputMax = 4 * 1024 * 1024;         // that the command has not taken yet
constexpr Duration kLook = std::chrono::milliseconds(20);  // at input that the command does not take
constexpr Duration kFarewell = std::chrono::seconds(1);    // for the client to close after us
constexpr int kClosedChannel = 255;

enum Channel : char { kIn = 0, kOut = 1, kErr = 2, kStatus = 3, kResize = 4 };

// One command and its client.
struct Session {
  explicit Session(net::Loop& loop) : bell(loop) {}

  std::shared_ptr<cluster::Execution> process;
  WebSocketReader reader{kMessageMax};
  net::Alarm bell;          // something has come, from either side
  std::string input;        // not yet taken by the command
  bool input_ends = false;  // after `input`
  bool client_left = false;
  std::string out;  // frames not yet sent
  bool rung = false;

  void ring() {
    rung = true;
    bell.ring_now();
  }
};

std::string framed(char channel, std::string_view bytes) {
  return websocket_frame(WebSocketKind::kBinary, std::string(1, channel) + std::string(bytes));
}

std::string protocol_of(const http::Request& request) {
  std::string chosen;
  http::for_each_in_list(request.header("Sec-WebSocket-Protocol").value_or(""), [&](std::string_view item) {
    const bool known = item == "v5.channel.k8s.io" || item == "v4.channel.k8s.io";
    if (known && chosen < item) chosen = item;
  });
  return chosen;
}

Answer<void> check_upgrade(const http::Request& request) {
  if (!ascii::equals_ignoring_case(request.header("Upgrade").value_or(""), "websocket") ||
      request.header("Sec-WebSocket-Key").value_or("").empty()) {
    return bad_request("Upgrade request required: commands run over a WebSocket");
  }
  if (protocol_of(request).empty()) {
    return bad_request("the WebSocket's protocol is none of v5.channel.k8s.io, v4.channel.k8s.io");
  }
  return {};
}

Answer<std::shared_ptr<cluster::Execution>> begin(const Desk& desk, const Call& call) {
  const auto pod = read(desk.context, call);
  if (!pod) return tl::unexpected(pod.error());
  if (!desk.options.kubelet.exec) return tl::unexpected(plain_status(503, "no machine here runs pods"));
  cluster::ExecOptions options;
  options.container = call.options.get("container");
  for (const auto& [name, value] : call.options.all) {
    if (name == "command") options.command.push_back(value);
  }
  options.in = call.options.flag("stdin");
  options.terminal = call.options.flag("tty");
  if (options.command.empty()) return bad_request("you must specify at least one command for the container");
  auto process = desk.options.kubelet.exec(**pod, options);
  if (process) return *std::move(process);
  if (process.error().code == Code::kInvalid) return bad_request(describe(process.error()));
  return tl::unexpected(plain_status(500, describe(process.error())));
}

// What the command has written. False at the end of it.
bool drain(Session& session, int fd, char channel) {
  if (fd < 0) return false;
  std::array<char, kPieceBytes> buffer;
  while (session.out.size() < 2 * kPieceBytes) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return true;
    if (got <= 0) return false;  // a terminal without readers gives EIO
    session.out += framed(channel, {buffer.data(), static_cast<std::size_t>(got)});
  }
  session.ring();  // there may be more
  return true;
}

void give_input(Session& session) {
  while (!session.input.empty()) {
    const ssize_t taken = ::write(session.process->in(), session.input.data(), session.input.size());
    if (taken < 0 && errno == EINTR) continue;
    if (taken < 0 && errno == EAGAIN) return;
    if (taken < 0) session.input.clear();  // it does not read any more
    if (taken > 0) session.input.erase(0, static_cast<std::size_t>(taken));
  }
  if (std::exchange(session.input_ends, false)) session.process->close_in();
}

void take(Session& session, const WebSocketMessage& message) {
  if (message.kind == WebSocketKind::kClose) session.client_left = true;
  if (message.kind == WebSocketKind::kPing)
    session.out += websocket_frame(WebSocketKind::kPong, message.payload);
  const bool data = message.kind == WebSocketKind::kBinary || message.kind == WebSocketKind::kText;
  if (!data || message.payload.empty()) return;
  const auto channel = static_cast<unsigned char>(message.payload.front());
  const std::string_view rest = std::string_view(message.payload).substr(1);
  if (channel == kIn && session.process->in() >= 0) session.input += rest;
  if (channel == kClosedChannel && !rest.empty() && rest.front() == kIn) session.input_ends = true;
  if (channel == kResize) {
    const auto size = resource::parse_json(rest);
    const auto side = [&](const char* name) {
      return static_cast<int>(std::clamp<std::int64_t>(size ? resource::number(*size, name) : 0, 0, 10'000));
    };
    if (size && size->is_object()) session.process->resize(side("Width"), side("Height"));
  }
}

// Hears the client until it leaves.
net::Task<void> listen(Session& session, net::Loop& loop, http::Responder& responder) {
  while (!session.client_left) {
    // A command that does not read holds its client up.
    while (session.input.size() > kInputMax && !session.process->has_ended()) {
      net::Alarm pause(loop);
      co_await pause.after(kLook);
    }
    const Result<std::string> bytes = co_await responder.read_raw();
    if (!bytes || bytes->empty()) break;
    session.reader.feed(*bytes);
    while (!session.client_left) {
      const auto message = session.reader.next();
      if (!message) session.client_left = true;
      if (!message || !*message) break;
      take(session, **message);
    }
    session.ring();
  }
  session.client_left = true;
  session.ring();
}

net::Task<void> ring_when_readable(net::FdWatch& watch, Session& session) {
  while (true) {
    const bool goes_on = co_await watch.readable();
    if (!goes_on) co_return;
    session.ring();
  }
}

// Moves bytes both ways until the command has ended and everything was sent, or the client has left.
net::Task<void> follow(Session& session, net::Loop& loop, http::Responder& responder) {
  cluster::Execution& process = *session.process;
  while (!session.client_left) {
    const bool ended = process.has_ended();  // before the last look at what it wrote
    give_input(session);
    const bool more_out = drain(session, process.out(), kOut);
    const bool more_err = drain(session, process.err(), kErr);
    if (!session.out.empty()) {
      Result<void> sent = co_await responder.write(session.out);
      session.out.clear();
      if (!sent) co_return;
      if (more_out || more_err) continue;
    }
    if (ended) co_return;
    const TimePoint look = session.input.empty() ? TimePoint::max() : loop.now() + kLook;
    if (!std::exchange(session.rung, false)) {
      co_await session.bell.until(look);
      session.rung = false;
    }
  }
}

}  // namespace

std::string exec_status(int exit_code) {
  Json status = {{"metadata", Json::object()}, {"status", exit_code == 0 ? "Success" : "Failure"}};
  if (exit_code != 0) {
    const std::string code = std::to_string(exit_code);
    status["message"] = "command terminated with non-zero exit code: exit status " + code;
    status["reason"] = "NonZeroExitCode";
    status["details"] = {{"causes", Json::array({{{"reason", "ExitCode"}, {"message", code}}})}};
  }
  return resource::to_text(status);
}

net::Task<void> serve_exec(Desk& desk, const http::Request& request, const Call& call,
                           http::Responder& responder) {
  if (auto right = check_upgrade(request); !right) {
    Result<void> refused =
        co_await responder.respond(right.error().code, "application/json", to_text(right.error()));
    (void)refused;
    co_return;
  }
  Answer<std::shared_ptr<cluster::Execution>> process =
      tl::unexpected(plain_status(429, "too many requests are waiting"));
  std::function<void()> beginning = [&] { process = begin(desk, call); };
  const bool taken = co_await desk.workers.run(std::move(beginning));
  (void)taken;
  responder.header("Sec-WebSocket-Accept",
                   websocket_accept(request.header("Sec-WebSocket-Key").value_or("")));
  responder.header("Sec-WebSocket-Protocol", protocol_of(request));
  Result<void> upgraded = co_await responder.upgrade("websocket");
  if (!upgraded) co_return;
  if (!process) {
    // Where it was refused before, kubectl would try the protocol of old and show that refusal instead.
    const std::string why = framed(kStatus, to_text(process.error())) + websocket_close(1000);
    Result<void> said = co_await responder.write(why);
    Result<void> ended = co_await responder.finish();
    (void)said;
    (void)ended;
    co_return;
  }
  Session session(desk.loop);
  session.process = *process;
  net::TaskGroup tasks;
  {
    net::FdWatch ended(desk.loop, session.process->ended());
    net::FdWatch out(desk.loop, session.process->out());
    std::optional<net::FdWatch> err;
    tasks.spawn(ring_when_readable(ended, session));
    tasks.spawn(ring_when_readable(out, session));
    if (session.process->err() >= 0) {
      err.emplace(desk.loop, session.process->err());
      tasks.spawn(ring_when_readable(*err, session));
    }
    net::TaskGroup listening;
    listening.spawn(listen(session, desk.loop, responder));
    co_await follow(session, desk.loop, responder);
    if (!session.client_left) {
      const std::string last =
          framed(kStatus, exec_status(session.process->collect())) + websocket_close(1000);
      Result<void> sent = co_await responder.write(last);
      (void)sent;
    } else {
      session.process->collect();
    }
    net::Timer cut(desk.loop, [&responder] { responder.abort(); });
    cut.arm(desk.loop.now() + kFarewell);
    co_await listening.wait_empty();
    ended.cancel();
    out.cancel();
    if (err) err->cancel();
    co_await tasks.wait_empty();
  }
  Result<void> finished = co_await responder.finish();
  (void)finished;
}

}  // namespace tidegate::apiserver
