// The request's way, on one screen: read the facts, match the route, resolve the model, forward, relay,
// report.
//
// Every stage is a plain function of what it is given, or an I/O step that decides nothing. Beyond forward()
// an answer has begun and no other endpoint may be asked.
//
// Thread: the worker's own.

#pragma once

#include <memory>

#include "gateway/walk.h"

namespace tidegate::gateway {

// Answers one request that came in on `port`. True if the client's connection may carry another.
net::Task<bool> exchange(Tools& tools, std::uint16_t port, std::shared_ptr<const View> view,
                         listener::Session& session, const listener::Request& request);

}  // namespace tidegate::gateway
