// ZeroMQ sockets, as much of them as KV events take.
//
// libzmq and the dozen libraries behind it are loaded with the first Context, not with the program: who
// follows no events and publishes none carries none of it.
//
// Thread: a Context any; a Socket belongs to one thread at a time. Nothing here blocks but poll().

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace tidegate::kvwire {

class Context {
 public:
  // Errors: kUnavailable: the library is not there; says which package has it.
  static Result<std::shared_ptr<Context>> make();
  // Requires: its sockets are gone.
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  void* raw() const { return raw_; }

 private:
  explicit Context(void* raw) : raw_(raw) {}
  void* raw_;
};

class Socket {
 public:
  enum class Type { kPublish, kSubscribe, kRouter, kDealer };

  struct Options {
    int queue_max = 1000;                               // messages each way, per peer; 0: no limit
    std::int64_t message_bytes_max = 64 * 1024 * 1024;  // longer ones end the peer's connection
  };

  // Errors: kInternal; kUnavailable as Context.
  static Result<Socket> make(std::shared_ptr<Context> context, Type type, Options options);
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;
  ~Socket();

  // "tcp://*:5557", "ipc:///path". Errors: kInvalid, with what the library says.
  Result<void> bind(const std::string& endpoint);
  // Goes on trying in the background, at most every few seconds.
  Result<void> connect(const std::string& endpoint);
  void subscribe(std::string_view topic);  // what topics begin with

  // False if there is no room now, or nobody to send to.
  bool send(std::span<const std::string_view> frames);
  // False if nothing is there. Of a message with more than eight frames the rest is dropped.
  bool receive(std::vector<std::string>& frames);

  // Where it was bound, with the port that was chosen for "*".
  std::string endpoint() const;

  void* raw() const { return raw_; }

 private:
  Socket(std::shared_ptr<Context> context, void* raw) : context_(std::move(context)), raw_(raw) {}
  std::shared_ptr<Context> context_;
  void* raw_ = nullptr;
};

// Waits for what may be read: `readable[i]` says so of `sockets[i]`. Returns when `wake_fd` is readable, too.
// False if time ran out.
bool poll(std::span<const Socket* const> sockets, int wake_fd, Duration timeout, std::vector<bool>& readable);

}  // namespace tidegate::kvwire
