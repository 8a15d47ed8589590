// .../pods/P/portforward: connections to a pod's ports, carried over the one that kubectl has made.
//
// kubectl opens two streams for each: one for what goes wrong, then one for the bytes, both with a port and a
// number that joins them. They come as SPDY frames, in a WebSocket's messages (kubectl 1.31 and newer) or,
// after an upgrade to SPDY/3.1, as they are.
//
// Thread: the loop's own.
// Source: core/v1 PodPortForwardOptions; portforward.k8s.io; KEP-4006.

#pragma once

#include "cluster/apiserver/front.h"

namespace tidegate::apiserver {

net::Task<void> serve_portforward(Desk& desk, const http::Request& request, const Call& call,
                                  http::Responder& responder);

}  // namespace tidegate::apiserver
