// Watches: an answer that goes on, one line of JSON per change.
//
// Thread: the loop's own.
// Source: Kubernetes API Concepts, "Efficient detection of changes", "Watch bookmarks", "Streaming lists".

#pragma once

#include "cluster/apiserver/hub.h"
#include "cluster/apiserver/objects.h"
#include "cluster/apiserver/workers.h"
#include "http/server.h"
#include "net/task.h"

namespace tidegate::apiserver {

// Answers until the client leaves, the time it asked for is over, or the hub ends.
net::Task<void> serve_watch(const Context& context, Hub& hub, Workers& workers, net::Loop& loop,
                            const Call& call, http::Responder& responder);

// What a watch with a selector tells of a change; empty: nothing. An object that begins to match is added,
// one that ceases to is deleted.
std::string_view event_type(const cluster::Event& event, const Selector& selector);

}  // namespace tidegate::apiserver
