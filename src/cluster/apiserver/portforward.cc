#include "cluster/apiserver/portforward.h"

#include <array>
#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "cluster/apiserver/spdy.h"
#include "cluster/apiserver/websocket.h"
#include "http/head.h"
#include "net/stream.h"
#include "resource/fields.h"
#include "resource/json.h"

namespace tidegate::apiserver {
namespace {

constexpr std::string_view kProtocol = "portforward.k8s.io";
constexpr std::string_view kTunnelled = "SPDY/3.1+portforward.k8s.io";
constexpr std::size_t kFrameMax = 1024 * 1024;
constexpr std::size_t kPieceBytes = 32 * 1024;
constexpr std::size_t kWaitingMax = 256 * 1024;  // bytes that one side has sent and the other not taken
constexpr std::size_t kStreamsMax = 512;
constexpr Duration kConnectMax = std::chrono::seconds(5);
constexpr Duration kFarewell = std::chrono::seconds(1);  // for the client to close after us

// One connection to the pod.
struct Forward {
  Forward(net::Loop& loop, std::uint32_t the_data, std::uint32_t the_error)
      : data(the_data), error(the_error), bell(loop), taken(loop) {}

  const std::uint32_t data;  // the client's streams
  const std::uint32_t error;
  net::Stream pod;
  std::string waiting;       // for the pod
  bool client_ends = false;  // after `waiting`
  bool over = false;
  net::Alarm bell;   // something waits for the pod
  net::Alarm taken;  // the pod has taken something

  void end() {
    over = true;
    if (pod.open()) pod.abort();
    bell.ring_now();
    taken.ring_now();
  }
};

// One client with all its connections.
struct Tunnel {
  Tunnel(net::Loop& the_loop, http::Responder& the_responder, net::Address the_pod, bool in_messages)
      : loop(the_loop), responder(the_responder), pod(the_pod), bell(the_loop) {
    if (in_messages) messages.emplace(kFrameMax);
  }

  net::Loop& loop;
  http::Responder& responder;
  const net::Address pod;
  std::optional<WebSocketReader> messages;  // none: the frames come as they are
  SpdyReader frames{kFrameMax};
  bool replied = false;
  bool over = false;
  std::string out;                                             // not yet sent
  std::vector<net::Alarm*> full;                               // who waits for room in it
  net::Alarm bell;                                             // there is something in it
  std::map<std::uint32_t, std::shared_ptr<Forward>> forwards;  // by the stream of their bytes
  std::map<std::string, std::uint32_t> errors;  // streams whose partners have not come, by number

  void say(const std::string& frame) {
    if (over) return;
    out += messages ? websocket_frame(WebSocketKind::kBinary, frame) : frame;
    bell.ring_now();
  }

  void end() {
    over = true;
    for (const auto& [stream, forward] : std::map(forwards)) forward->end();
    for (net::Alarm* alarm : std::exchange(full, {})) alarm->ring_now();
    bell.ring_now();
  }
};

net::Task<void> wait_for_room(Tunnel& tunnel) {
  while (!tunnel.over && tunnel.out.size() > kWaitingMax) {
    net::Alarm room(tunnel.loop);
    tunnel.full.push_back(&room);
    co_await room.until(TimePoint::max());
  }
}

net::Task<void> send_all(Tunnel& tunnel) {
  while (!tunnel.over) {
    if (tunnel.out.empty()) {
      co_await tunnel.bell.until(TimePoint::max());
      continue;
    }
    const std::string piece = std::exchange(tunnel.out, {});
    for (net::Alarm* alarm : std::exchange(tunnel.full, {})) alarm->ring_now();
    Result<void> sent = co_await tunnel.responder.write(piece);
    if (!sent) tunnel.end();
  }
}

net::Task<void> to_pod(std::shared_ptr<Forward> forward) {
  while (!forward->over) {
    if (forward->waiting.empty() && forward->client_ends) {
      forward->pod.finish_writing();
      co_return;
    }
    if (forward->waiting.empty()) {
      co_await forward->bell.until(TimePoint::max());
      continue;
    }
    const std::string piece = std::exchange(forward->waiting, {});
    forward->taken.ring_now();
    Result<void> sent = co_await forward->pod.write_all(piece);
    if (!sent) forward->end();
  }
}

net::Task<void> to_client(Tunnel& tunnel, std::shared_ptr<Forward> forward) {
  std::array<char, kPieceBytes> buffer;
  while (!forward->over) {
    const Result<std::size_t> got = co_await forward->pod.read_some(buffer.data(), buffer.size());
    if (!got || *got == 0) break;
    tunnel.say(spdy_data(forward->data, {buffer.data(), *got}));
    co_await wait_for_room(tunnel);
  }
}

// From the connection to the pod to its end, either's.
net::Task<void> carry(Tunnel& tunnel, std::shared_ptr<Forward> forward, std::uint16_t port) {
  const auto pod = net::Address::parse(tunnel.pod.ip(), port);
  auto stream = co_await net::Stream::connect(tunnel.loop, *pod, tunnel.loop.now() + kConnectMax);
  std::string problem;
  if (!stream) {
    problem = "cannot connect to port " + std::to_string(port) + " of the pod: " + describe(stream.error());
  } else if (!forward->over) {
    forward->pod = *std::move(stream);
    net::TaskGroup sending;
    sending.spawn(to_pod(forward));
    co_await to_client(tunnel, forward);
    forward->end();
    co_await sending.wait_empty();
    forward->pod.close();
  }
  forward->over = true;
  forward->taken.ring_now();
  tunnel.say(spdy_data(forward->data, {}, true));
  tunnel.say(spdy_data(forward->error, problem, true));
  tunnel.forwards.erase(forward->data);
}

std::optional<std::uint16_t> port_of(const std::string& text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

void open_stream(Tunnel& tunnel, net::TaskGroup& tasks, SpdyFrame& frame) {
  const std::string& type = frame.fields["streamtype"];
  const std::string& number = frame.fields["requestid"];
  const auto port = port_of(frame.fields["port"]);
  const auto partner = tunnel.errors.find(number);
  const bool known = tunnel.forwards.contains(frame.stream) || frame.stream == 0;
  const bool fits = type == "error" ? partner == tunnel.errors.end() && tunnel.errors.size() < kStreamsMax
                                    : type == "data" && partner != tunnel.errors.end() &&
                                          tunnel.forwards.size() < kStreamsMax;
  if (known || !port || !fits || number.size() > 64) return tunnel.say(spdy_reset(frame.stream));
  tunnel.say(spdy_reply(frame.stream, !std::exchange(tunnel.replied, true)));
  if (type == "error") {
    tunnel.errors[number] = frame.stream;
    return;
  }
  auto forward = std::make_shared<Forward>(tunnel.loop, frame.stream, partner->second);
  forward->client_ends = frame.last;
  tunnel.errors.erase(partner);
  tunnel.forwards[frame.stream] = forward;
  tasks.spawn(carry(tunnel, std::move(forward), *port));
}

// Waits where the pod does not take what the client sends, which holds its other connections up too.
net::Task<void> take(Tunnel& tunnel, net::TaskGroup& tasks, SpdyFrame& frame) {
  if (frame.kind == SpdyKind::kPing) tunnel.say(spdy_ping(frame.stream));
  if (frame.kind == SpdyKind::kOpen) open_stream(tunnel, tasks, frame);
  const auto found = tunnel.forwards.find(frame.stream);
  if (found == tunnel.forwards.end()) co_return;
  const std::shared_ptr<Forward> forward = found->second;
  if (frame.kind == SpdyKind::kReset) forward->end();
  if (frame.kind != SpdyKind::kData) co_return;
  forward->waiting += frame.payload;
  forward->client_ends = forward->client_ends || frame.last;
  forward->bell.ring_now();
  while (forward->waiting.size() > kWaitingMax && !forward->over)
    co_await forward->taken.until(TimePoint::max());
}

// The frames in what has come. False: nothing more can be read.
net::Task<bool> take_frames(Tunnel& tunnel, net::TaskGroup& tasks, std::string_view bytes) {
  tunnel.frames.feed(bytes);
  while (true) {
    auto frame = tunnel.frames.next();
    if (!frame) co_return false;
    if (!*frame) co_return true;
    co_await take(tunnel, tasks, **frame);
  }
}

net::Task<bool> take_messages(Tunnel& tunnel, net::TaskGroup& tasks, std::string_view bytes) {
  tunnel.messages->feed(bytes);
  while (true) {
    const auto message = tunnel.messages->next();
    if (!message) co_return false;
    if (!*message) co_return true;
    if ((*message)->kind == WebSocketKind::kClose) co_return false;
    if ((*message)->kind == WebSocketKind::kPing) {
      tunnel.out += websocket_frame(WebSocketKind::kPong, (*message)->payload);
      tunnel.bell.ring_now();
    }
    if ((*message)->kind != WebSocketKind::kBinary) continue;
    const bool goes_on = co_await take_frames(tunnel, tasks, (*message)->payload);
    if (!goes_on) co_return false;
  }
}

net::Task<void> listen(Tunnel& tunnel, net::TaskGroup& tasks) {
  bool goes_on = true;
  while (goes_on && !tunnel.over) {
    const Result<std::string> bytes = co_await tunnel.responder.read_raw();
    if (!bytes || bytes->empty()) break;
    if (tunnel.messages) {
      goes_on = co_await take_messages(tunnel, tasks, *bytes);
    } else {
      goes_on = co_await take_frames(tunnel, tasks, *bytes);
    }
  }
  tunnel.end();
}

enum class Way { kNone, kMessages, kFrames };

Way way_of(const http::Request& request) {
  const std::string_view upgrade = request.header("Upgrade").value_or("");
  const auto offers = [&](std::string_view field, std::string_view protocol) {
    bool found = false;
    http::for_each_in_list(request.header(field).value_or(""),
                           [&](std::string_view item) { found = found || item == protocol; });
    return found;
  };
  if (ascii::equals_ignoring_case(upgrade, "websocket")) {
    const bool right = !request.header("Sec-WebSocket-Key").value_or("").empty() &&
                       offers("Sec-WebSocket-Protocol", kTunnelled);
    return right ? Way::kMessages : Way::kNone;
  }
  const bool right =
      ascii::equals_ignoring_case(upgrade, "SPDY/3.1") && offers("X-Stream-Protocol-Version", kProtocol);
  return right ? Way::kFrames : Way::kNone;
}

Answer<net::Address> pod_address(const Desk& desk, const Call& call) {
  const auto pod = read(desk.context, call);
  if (!pod) return tl::unexpected(pod.error());
  if (!desk.options.kubelet.exec) return tl::unexpected(plain_status(503, "no machine here runs pods"));
  const resource::Json& document = (*pod)->json();
  const std::string phase = resource::text(document, "status.phase");
  if (phase != "Running") {
    return bad_request("unable to forward port because pod is not running. Current status=" +
                       (phase.empty() ? "Pending" : phase));
  }
  // A status may be written by hand: the server calls nobody but pods of this machine.
  const auto address = net::Address::parse(resource::text(document, "status.podIP"), 0);
  if (!address || !address->is_loopback()) return bad_request("the pod has no address on this machine");
  return *address;
}

net::Task<void> refuse(http::Responder& responder, Status status) {
  Result<void> said = co_await responder.respond(status.code, "application/json", to_text(status));
  (void)said;
}

}  // namespace

net::Task<void> serve_portforward(Desk& desk, const http::Request& request, const Call& call,
                                  http::Responder& responder) {
  const Way way = way_of(request);
  if (way == Way::kNone) {
    const auto refusal =
        bad_request("Upgrade request required: to a WebSocket of protocol " + std::string(kTunnelled) +
                    ", or to SPDY/3.1 with X-Stream-Protocol-Version: " + std::string(kProtocol));
    co_await refuse(responder, refusal.value());
    co_return;
  }
  Answer<net::Address> pod = tl::unexpected(plain_status(429, "too many requests are waiting"));
  std::function<void()> looking = [&] { pod = pod_address(desk, call); };
  const bool looked = co_await desk.workers.run(std::move(looking));
  (void)looked;
  if (!pod) {
    co_await refuse(responder, pod.error());
    co_return;
  }
  if (way == Way::kMessages) {
    responder.header("Sec-WebSocket-Accept",
                     websocket_accept(request.header("Sec-WebSocket-Key").value_or("")));
    responder.header("Sec-WebSocket-Protocol", kTunnelled);
  } else {
    responder.header("X-Stream-Protocol-Version", kProtocol);
  }
  Result<void> upgraded = co_await responder.upgrade(way == Way::kMessages ? "websocket" : "SPDY/3.1");
  if (!upgraded) co_return;
  Tunnel tunnel(desk.loop, responder, *pod, way == Way::kMessages);
  net::TaskGroup forwards;
  net::TaskGroup sending;
  sending.spawn(send_all(tunnel));
  co_await listen(tunnel, forwards);
  net::Timer cut(desk.loop, [&responder] { responder.abort(); });
  cut.arm(desk.loop.now() + kFarewell);
  co_await sending.wait_empty();
  co_await forwards.wait_empty();
  Result<void> finished = co_await responder.finish();
  (void)finished;
}

}  // namespace tidegate::apiserver
