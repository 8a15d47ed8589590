// Which addresses are bound for which listener: what should be against what is.
//
// Thread: the control loop's.

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gateway/snapshot.h"
#include "gateway/worker.h"

namespace tidegate::gateway {

class Listeners {
 public:
  Listeners(const std::vector<std::unique_ptr<Worker>>& workers, const std::vector<std::string>& bind)
      : workers_(workers), default_bind_(bind) {}

  struct Change {
    std::string address;
    std::uint16_t port = 0;
    bool bound = false;  // false: released, or `error` says why it could not be bound
    std::string error;
  };

  // Binds what is new and releases what is gone. An address that could not be bound is tried again at every
  // call; only what changed since the last call is returned.
  std::vector<Change> apply(const Snapshot& snapshot);

  // Sockets of a process before this one: what is wanted at their addresses uses them instead of binding
  // anew.
  void hand_over(std::vector<net::HandedSocket> sockets);
  // Whether some have found no use yet; forget them with drop_handed().
  bool has_handed() const { return !handed_.empty(); }
  void drop_handed() { handed_.clear(); }

  // The reason why a port is not open on some address; empty if it is.
  std::string failure(std::uint16_t port) const;
  bool any_failed() const;
  std::vector<std::string> bound() const;

 private:
  struct Entry {
    net::Address address;
    std::uint16_t port = 0;
    bool bound = false;
    std::string error;
  };
  Result<void> bind(const Entry& entry);

  const std::vector<std::unique_ptr<Worker>>& workers_;
  const std::vector<std::string>& default_bind_;
  std::map<std::string, Entry> entries_;                          // by "address:port"
  std::map<std::string, std::vector<net::HandedSocket>> handed_;  // likewise
};

}  // namespace tidegate::gateway
