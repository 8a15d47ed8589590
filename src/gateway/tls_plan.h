// What a port shows to clients that speak TLS: one part per listener, made into one list of certificates.
//
// A listener's hostname decides which certificate a name gets; a listener for any host serves the names that
// no other has. If there is none of that kind, other names and clients that name nobody are refused.
//
// Thread: pure.

#pragma once

#include <string>
#include <vector>

#include "net/tls.h"

namespace tidegate::gateway {

struct TlsPart {
  std::vector<std::string> hosts;  // lower case; "" is any
  std::vector<net::KeyPair> certificates;
  net::TlsServerOptions::Clients clients = net::TlsServerOptions::Clients::kAnyone;
  std::string clients_authorities_pem = {};
};

struct TlsPlan {
  net::TlsServerOptions options;
  // Parts ask differently for client certificates, so a request must be for the name its connection asked
  // for.
  bool strict_names = false;
};

// Requires: every part has a certificate.
TlsPlan plan_of(const std::vector<TlsPart>& parts);

bool same(const net::TlsServerOptions& a, const net::TlsServerOptions& b);

}  // namespace tidegate::gateway
