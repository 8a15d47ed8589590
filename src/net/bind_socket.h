// Making a listening socket. Internal to net.

#pragma once

#include "base/result.h"
#include "net/address.h"
#include "net/stream.h"

namespace tidegate::net {

// The descriptor. Errors as Listener::bind.
Result<int> bind_socket(const Address& address, ListenOptions options);

// What a socket is bound to.
Address local_address(int fd);

}  // namespace tidegate::net
