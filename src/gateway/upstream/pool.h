// Idle connections to endpoints, kept for the next request. One pool per worker; nothing is shared.
//
// The connection that rested least is taken first, so that under falling load the others can time out. An
// idle connection that the endpoint closes leaves the pool at once.
//
// Thread: the worker's own.

#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "gateway/upstream/connection.h"

namespace tidegate::upstream {

struct PoolLimits {
  Duration connect_timeout = std::chrono::seconds(2);
  Duration idle_timeout = std::chrono::seconds(60);
  std::size_t idle_per_endpoint_max = 256;
  http::HeadLimits head;
};

class Pool {
 public:
  Pool(net::Loop& loop, net::BufferPool& buffers, const PoolLimits& limits);
  ~Pool();

  // A resting connection if there is one, else null.
  std::unique_ptr<Connection> take(const net::Address& endpoint, const SecuredPtr& secured = nullptr);

  // A new one. Errors: kUnavailable, kDeadline (the connect time-out, or `deadline` if that is earlier).
  net::Task<Result<std::unique_ptr<Connection>>> connect(net::Address endpoint, TimePoint deadline,
                                                         SecuredPtr secured = nullptr);

  // Keeps it if it can be used again, closes it otherwise.
  void give_back(std::unique_ptr<Connection> connection);

  // Closes every resting connection; those under way are closed when they come back.
  void close();

  std::size_t resting() const { return resting_count_; }

 private:
  struct Resting {
    std::unique_ptr<Connection> connection;
    TimePoint since;
  };
  // The same address with other rules of TLS is another place.
  struct Place {
    net::Address address;
    const Secured* secured;
    bool operator==(const Place&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Place& place) const;
  };

  static Place place_of(const Connection& connection);
  void drop(const Connection* connection);
  void sweep();

  net::Loop& loop_;
  net::BufferPool& buffers_;
  const PoolLimits& limits_;
  std::unordered_map<Place, std::vector<Resting>, Hash> resting_;
  std::size_t resting_count_ = 0;
  bool closed_ = false;
  net::Timer sweeper_;
};

}  // namespace tidegate::upstream
