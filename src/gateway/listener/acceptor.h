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
#include "net/stream.h"
#include "net/task.h"

namespace tidegate::listener {

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
  const net::Address& address() const { return listener_.address(); }

  // No new connections and no new requests; those under way go on. Returns when the last has ended or at
  // `deadline`, when what remains is cut off.
  net::Task<void> drain(TimePoint deadline);

  std::size_t connections() const { return sessions_.size(); }

 private:
  net::Task<void> accept_loop();
  net::Task<void> serve(std::unique_ptr<Session> session);

  net::Loop& loop_;
  std::size_t connections_max_;
  Hooks hooks_;
  bool draining_ = false;
  Context context_;
  net::Listener listener_;
  net::TaskGroup accepting_;
  net::TaskGroup serving_;
  net::Alarm pause_;
  std::unordered_set<Session*> sessions_;
};

}  // namespace tidegate::listener
