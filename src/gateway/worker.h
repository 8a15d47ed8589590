// One thread that accepts and serves client connections, with everything it needs of its own: loop, buffers,
// connections to endpoints, picker, random numbers, counters. Workers share only the endpoints' atomics.
//
// Thread: the public members are called from the control thread; they post to the worker and, where they
// return something, wait for it.

#pragma once

#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gateway/listener/acceptor.h"
#include "gateway/walk.h"
#include "net/handover.h"

namespace tidegate::gateway {

// What workers know together of KV caches.
struct Caches {
  pick::PrefixIndex& prefixes;
  pick::BlockIndex& blocks;
  pick::TokenMap& tokens;
  kvfeed::Asker& asker;
};

class Worker {
 public:
  // All references outlive the worker.
  Worker(const Config& config, const Clock& clock, telemetry::Registry& registry,
         telemetry::AccessLog* access_log, Caches caches, guard::Ledger& ledger, std::size_t shard);
  ~Worker();

  // Requests that begin from now on use this view.
  void set(View view);

  // Begins to accept on `address` for the listener of `port`. Returns the bound address. Errors as
  // net::Listener::bind.
  Result<net::Address> listen(const net::Address& address, std::uint16_t port);
  // The same on a listening socket that another process made.
  void adopt(net::HandedSocket socket, std::uint16_t port);

  // Duplicates of all that it listens on.
  std::vector<net::HandedSocket> sockets();

  // Stops accepting there; requests under way finish within the drain time-out.
  void unlisten(const net::Address& address);

  // Stops accepting everywhere, lets requests finish within the time-out, and ends the thread.
  std::future<void> drain(Duration timeout);

 private:
  std::unique_ptr<listener::Acceptor> make_acceptor(std::uint16_t port);
  void start_acceptor(const net::Address& address, std::uint16_t port,
                      std::promise<Result<net::Address>>& bound);
  net::Task<void> retire(std::unique_ptr<listener::Acceptor> acceptor, Duration timeout);
  net::Task<void> finish();

  const Config& config_;
  net::Loop loop_;
  net::BufferPool buffers_;
  upstream::Pool upstream_;
  Random random_;
  pick::Picker picker_;
  pick::PromptLookup prompts_;
  dialect::BodyReader bodies_;
  Probe probe_;
  http::DateText date_;
  Scratches scratches_;
  Mirrors mirrors_;
  Waitroom waitroom_;
  guard::Books books_;
  Tools tools_;
  std::shared_ptr<const View> view_;
  std::multimap<std::string, std::unique_ptr<listener::Acceptor>> acceptors_;  // by address
  net::TaskGroup tasks_;
  net::TaskGroup finishing_;
  std::promise<void> drained_;
  bool joined_ = false;
  std::thread thread_;
};

}  // namespace tidegate::gateway
