// What happens to a request: who asks, what it names, who answers.
//
// Thread: the loop's own.

#pragma once

#include <string>

#include "cluster/apiserver/hub.h"
#include "cluster/apiserver/objects.h"
#include "cluster/apiserver/server.h"
#include "cluster/apiserver/workers.h"
#include "http/server.h"

namespace tidegate::apiserver {

struct Desk {
  Context context;
  const ServerOptions& options;
  net::Loop& loop;
  Hub& hub;
  Workers& workers;
};

net::Task<void> serve(Desk& desk, http::Request& request, http::Responder& responder);

}  // namespace tidegate::apiserver
