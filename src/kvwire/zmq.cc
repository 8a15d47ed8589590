#include "kvwire/zmq.h"

#include <dlfcn.h>
#include <zmq.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/check.h"

namespace tidegate::kvwire {
namespace {

constexpr std::size_t kFramesMax = 8;

// Of one context; the library's own limit is 1023.
constexpr int kSocketsMax = 20'000;

struct Library {
  decltype(&zmq_ctx_new) ctx_new = nullptr;
  decltype(&zmq_ctx_term) ctx_term = nullptr;
  decltype(&zmq_ctx_set) ctx_set = nullptr;
  decltype(&zmq_socket) socket = nullptr;
  decltype(&zmq_close) close = nullptr;
  decltype(&zmq_setsockopt) setsockopt = nullptr;
  decltype(&zmq_getsockopt) getsockopt = nullptr;
  decltype(&zmq_bind) bind = nullptr;
  decltype(&zmq_connect) connect = nullptr;
  decltype(&zmq_send) send = nullptr;
  decltype(&zmq_msg_init) msg_init = nullptr;
  decltype(&zmq_msg_recv) msg_recv = nullptr;
  decltype(&zmq_msg_data) msg_data = nullptr;
  decltype(&zmq_msg_size) msg_size = nullptr;
  decltype(&zmq_msg_more) msg_more = nullptr;
  decltype(&zmq_msg_close) msg_close = nullptr;
  decltype(&zmq_poll) poll = nullptr;
  decltype(&zmq_errno) error = nullptr;
  decltype(&zmq_strerror) strerror = nullptr;
  bool loaded = false;
};

Library load_library() {
  Library library;
  void* const handle = ::dlopen("libzmq.so.5", RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return library;
  bool all = true;
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(handle, name));
    all = all && function != nullptr;
  };
  find(library.ctx_new, "zmq_ctx_new");
  find(library.ctx_term, "zmq_ctx_term");
  find(library.ctx_set, "zmq_ctx_set");
  find(library.socket, "zmq_socket");
  find(library.close, "zmq_close");
  find(library.setsockopt, "zmq_setsockopt");
  find(library.getsockopt, "zmq_getsockopt");
  find(library.bind, "zmq_bind");
  find(library.connect, "zmq_connect");
  find(library.send, "zmq_send");
  find(library.msg_init, "zmq_msg_init");
  find(library.msg_recv, "zmq_msg_recv");
  find(library.msg_data, "zmq_msg_data");
  find(library.msg_size, "zmq_msg_size");
  find(library.msg_more, "zmq_msg_more");
  find(library.msg_close, "zmq_msg_close");
  find(library.poll, "zmq_poll");
  find(library.error, "zmq_errno");
  find(library.strerror, "zmq_strerror");
  library.loaded = all;
  return library;
}

const Library& lib() {
  static const Library library = load_library();
  return library;
}

int raw_type(Socket::Type type) {
  switch (type) {
    case Socket::Type::kPublish:
      return ZMQ_PUB;
    case Socket::Type::kSubscribe:
      return ZMQ_SUB;
    case Socket::Type::kRouter:
      return ZMQ_ROUTER;
    case Socket::Type::kDealer:
      return ZMQ_DEALER;
  }
  return ZMQ_SUB;
}

std::string last_error() { return lib().strerror(lib().error()); }

}  // namespace

Result<std::shared_ptr<Context>> Context::make() {
  if (!lib().loaded)
    return fail(Code::kUnavailable, "KV events need libzmq.so.5, which is not here; install libzmq5");
  void* const raw = lib().ctx_new();
  if (raw == nullptr) return fail(Code::kInternal, "ZeroMQ does not start: " + last_error());
  lib().ctx_set(raw, ZMQ_MAX_SOCKETS, kSocketsMax);
  return std::shared_ptr<Context>(new Context(raw));
}

Context::~Context() { lib().ctx_term(raw_); }

Result<Socket> Socket::make(std::shared_ptr<Context> context, Type type, Options options) {
  void* const raw = lib().socket(context->raw(), raw_type(type));
  if (raw == nullptr) return fail(Code::kInternal, "ZeroMQ gives no socket: " + last_error());
  Socket socket(std::move(context), raw);
  const auto set = [raw](int option, int value) { lib().setsockopt(raw, option, &value, sizeof value); };
  set(ZMQ_LINGER, 0);
  set(ZMQ_SNDHWM, options.queue_max);
  set(ZMQ_RCVHWM, options.queue_max);
  set(ZMQ_IPV6, 1);
  set(ZMQ_RECONNECT_IVL, 100);
  set(ZMQ_RECONNECT_IVL_MAX, 5000);
  // A peer that vanished without a word is noticed.
  set(ZMQ_HEARTBEAT_IVL, 5000);
  set(ZMQ_HEARTBEAT_TIMEOUT, 15'000);
  lib().setsockopt(raw, ZMQ_MAXMSGSIZE, &options.message_bytes_max, sizeof options.message_bytes_max);
  return socket;
}

Socket::Socket(Socket&& other) noexcept
    : context_(std::move(other.context_)), raw_(std::exchange(other.raw_, nullptr)) {}

Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(context_, other.context_);
  std::swap(raw_, other.raw_);
  return *this;
}

Socket::~Socket() {
  if (raw_ != nullptr) lib().close(raw_);
}

Result<void> Socket::bind(const std::string& endpoint) {
  if (lib().bind(raw_, endpoint.c_str()) == 0) return {};
  return invalid("", "\"" + endpoint + "\" cannot be bound: " + last_error());
}

Result<void> Socket::connect(const std::string& endpoint) {
  if (lib().connect(raw_, endpoint.c_str()) == 0) return {};
  return invalid("", "\"" + endpoint + "\" cannot be connected to: " + last_error());
}

void Socket::subscribe(std::string_view topic) {
  lib().setsockopt(raw_, ZMQ_SUBSCRIBE, topic.data(), topic.size());
}

bool Socket::send(std::span<const std::string_view> frames) {
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const int more = i + 1 < frames.size() ? ZMQ_SNDMORE : 0;
    if (lib().send(raw_, frames[i].data(), frames[i].size(), ZMQ_DONTWAIT | more) < 0) return false;
  }
  return true;
}

bool Socket::receive(std::vector<std::string>& frames) {
  frames.clear();
  while (true) {
    zmq_msg_t message;
    lib().msg_init(&message);
    if (lib().msg_recv(&message, raw_, ZMQ_DONTWAIT) < 0) {
      lib().msg_close(&message);
      return false;
    }
    if (frames.size() < kFramesMax)
      frames.emplace_back(static_cast<const char*>(lib().msg_data(&message)), lib().msg_size(&message));
    const bool more = lib().msg_more(&message) != 0;
    lib().msg_close(&message);
    if (!more) return true;
  }
}

std::string Socket::endpoint() const {
  char text[256] = {};
  std::size_t size = sizeof text;
  if (lib().getsockopt(raw_, ZMQ_LAST_ENDPOINT, text, &size) != 0) return {};
  return text;
}

bool poll(std::span<const Socket* const> sockets, int wake_fd, Duration timeout,
          std::vector<bool>& readable) {
  TG_CHECK(lib().loaded);
  std::vector<zmq_pollitem_t> items;
  for (const Socket* socket : sockets) items.push_back({socket->raw(), 0, ZMQ_POLLIN, 0});
  items.push_back({nullptr, wake_fd, ZMQ_POLLIN, 0});
  const auto ms = std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(timeout).count());
  const int count = lib().poll(items.data(), static_cast<int>(items.size()), static_cast<long>(ms));
  readable.assign(sockets.size(), false);
  if (count <= 0) return false;
  for (std::size_t i = 0; i < sockets.size(); ++i) readable[i] = (items[i].revents & ZMQ_POLLIN) != 0;
  return true;
}

}  // namespace tidegate::kvwire
