// The TLS servers of the ports, kept over snapshots: a new certificate is shown from the next handshake on,
// and sessions of before can still be resumed.
//
// Thread: the control loop's.

#pragma once

#include <map>
#include <memory>
#include <vector>

#include "gateway/snapshot.h"
#include "net/tls.h"

namespace tidegate::gateway {

class TlsServers {
 public:
  // As Snapshot::listeners; null where a port speaks plain text.
  std::vector<std::shared_ptr<net::TlsServer>> apply(const Snapshot& snapshot);

 private:
  struct Entry {
    net::TlsServerOptions options;
    std::shared_ptr<net::TlsServer> server;
  };
  std::map<std::uint16_t, Entry> by_port_;
};

}  // namespace tidegate::gateway
