// GET .../pods/P/log: a container's log, whole or as it grows.
//
// Thread: the loop's own.
// Source: core/v1 PodLogOptions.

#pragma once

#include "cluster/apiserver/front.h"

namespace tidegate::apiserver {

net::Task<void> serve_log(Desk& desk, const Call& call, http::Responder& responder);

// Errors: 400 for a parameter that is wrong.
Answer<cluster::LogOptions> log_options(const Options& options, WallTime now);

}  // namespace tidegate::apiserver
