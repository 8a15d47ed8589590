// TLS towards an endpoint: whom to believe and under which name.
//
// Thread: immutable; any thread. open_stream() belongs to its loop's.

#pragma once

#include <memory>
#include <string>

#include "net/stream.h"
#include "net/task.h"
#include "net/tls.h"

namespace tidegate::upstream {

struct Secured {
  std::shared_ptr<net::TlsClient> client;
  std::string server_name;  // what the endpoint's certificate must name
  std::string policy;       // who wants it so, for messages: "BackendTLSPolicy default/engines"
};

// Null: plain text.
using SecuredPtr = std::shared_ptr<const Secured>;

// A connected stream, its handshake done. Errors: kUnavailable (also where the certificate is not believed),
// kDeadline.
net::Task<Result<net::Stream>> open_stream(net::Loop& loop, net::Address endpoint, SecuredPtr secured,
                                           TimePoint deadline);

}  // namespace tidegate::upstream
