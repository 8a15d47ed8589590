// Listens on one address for one worker, and owns the sessions that come of it.
//
// Every worker has an acceptor of its own on the same address (SO_REUSEPORT); the kernel spreads connections
// over them and nothing is shared. An acceptor may be told to stop while its sessions finish.
//
// Thread: the worker's own.

#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <unordered_set>

#include "gateway/listener/session.h"
#include "net/shared_listener.h"
#include "net/stream.h"
#include "net/task.h"

namespace tidegate::listener {

// How long a connection without a request stays open while its acceptor drains: its client may not know yet.
inline constexpr Duration kDrainIdle = std::chrono::seconds(1);

class Acceptor {
 public:
  struct Hooks {
    Exchange exchange;
    Refused refused;
    std::function<void(int delta)> connections;  // +1, -1
    Tls tls = {};
  };

  // `limits` and `buffers` outlive the acceptor.
  Acceptor(net::Loop& loop, net::BufferPool& buffers, const Limits& limits, std::size_t connections_max,
           Hooks hooks);
  ~Acceptor();  // requires: finished

  // Errors as net::Listener::bind.
  Result<void> listen(const net::Address& address);
  // The same on a listening socket that another process made; takes it over.
  void adopt(int fd);
  const net::Address& address() const { return listener_->address(); }
  // May be duplicated for another process while this listens.
  int fd() const { return listener_->fd(); }

  // No new connections; requests under way go on, and their answers say that the connection ends. A client
  // that believes a connection to be open may still send on it for kDrainIdle: its request is answered.
  // Returns when the last has ended or at `deadline`, when what remains is cut off.
  net::Task<void> drain(TimePoint deadline);

  std::size_t connections() const { return sessions_.size(); }

 private:
  void take(Result<net::Stream> client);
  net::Task<void> serve(std::unique_ptr<Session> session);

  net::Loop& loop_;
  std::size_t connections_max_;
  Hooks hooks_;
  bool draining_ = false;
  Context context_;
  std::unique_ptr<net::SharedListener> listener_;
  net::TaskGroup serving_;
  net::Timer pause_;
  std::unordered_set<Session*> sessions_;
};

}  // namespace tidegate::listener
