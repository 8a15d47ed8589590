// Listening sockets from one process to its successor, so that no connection is refused and none that waits
// in a queue is lost: both hold the same sockets, and the first then stops accepting.
//
//   first process:  HandoverServer::listen(path, sockets, done)     sockets() duplicates what it listens on
//   second one:     Takeover::begin(path)                           adopts the sockets, begins to accept
//                   takeover.finish()                               the first one's done() is called
//
// The way between them is a Unix socket that only the same user may use.
//
// Thread: a HandoverServer has a thread of its own, on which both callbacks run. A Takeover belongs to one
// thread and blocks for at most a few seconds.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace tidegate::net {

// Owns its descriptor.
class HandedSocket {
 public:
  HandedSocket(std::string address, int fd) : address_(std::move(address)), fd_(fd) {}
  HandedSocket(HandedSocket&& other) noexcept;
  HandedSocket& operator=(HandedSocket&& other) noexcept;
  ~HandedSocket();

  const std::string& address() const { return address_; }  // as Address::text()
  int fd() const { return fd_; }
  int release();  // the caller's from now on

 private:
  std::string address_;
  int fd_ = -1;
};

class HandoverServer {
 public:
  // Whoever listened at `path` before is replaced. Errors: kInvalid if the path is too long, kUnavailable.
  static Result<std::unique_ptr<HandoverServer>> listen(const std::string& path,
                                                        std::function<std::vector<HandedSocket>()> sockets,
                                                        std::function<void()> done);
  ~HandoverServer();

 private:
  struct State;
  explicit HandoverServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

class Takeover {
 public:
  // None if nobody listens there. Errors: kUnavailable if somebody does and says nothing proper.
  static Result<std::optional<Takeover>> begin(const std::string& path);
  Takeover(Takeover&& other) noexcept;
  Takeover& operator=(Takeover&& other) noexcept;
  ~Takeover();

  std::vector<HandedSocket>& sockets() { return sockets_; }

  // Tells the other process that this one accepts now.
  void finish();

 private:
  explicit Takeover(int fd) : fd_(fd) {}
  int fd_ = -1;
  std::vector<HandedSocket> sockets_;
};

}  // namespace tidegate::net
