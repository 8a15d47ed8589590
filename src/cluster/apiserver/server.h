// The API server: a cluster::Client served over HTTP under the rules of a Kubernetes API server, so that
// kubectl and every client library work against it unmodified.
//
//   ApiServer server(store, clock, {.address = ..., .token = ...});
//   const Result<net::Address> bound = server.start();
//
// It runs one loop on a thread of its own for all connections and watches, and some workers for what blocks.
//
// Thread: start() and stop() from one thread.

#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "cluster/client.h"
#include "cluster/kubelet.h"
#include "net/address.h"
#include "net/tls.h"

namespace tidegate::cluster {
class KindRegistry;
}

namespace tidegate::apiserver {

struct ServerOptions {
  net::Address address = {};                       // port 0 takes a free one
  std::string token = {};                          // that every request must bear; empty: none is asked for
  std::string build = {};                          // our version, for /version
  std::shared_ptr<const net::TlsServer> tls = {};  // null: plain
  int workers = 16;                                // writes that may wait for the disk together
  cluster::Kubelet kubelet = {};                   // logs and usage; functions may be null
  // The kinds that are served, of the store behind the client; null: the built-in ones.
  std::shared_ptr<const cluster::KindRegistry> kinds = {};
};

class ApiServer {
 public:
  // The client and the clock must outlive the server.
  ApiServer(cluster::Client& client, const Clock& clock, ServerOptions options);
  ~ApiServer();

  // Errors: those of binding.
  Result<net::Address> start();
  // Ends watches, lets requests finish, bounded.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidegate::apiserver
