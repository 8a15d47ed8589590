// GET .../pods/P/exec: a command beside a container, its streams over one WebSocket.
//
// Thread: the loop's own.
// Source: core/v1 PodExecOptions; v5.channel.k8s.io (one byte names the channel: 0 input, 1 output, 2 error,
// 3 how it ended, 4 the terminal's size, 255 a channel that is closed).

#pragma once

#include "cluster/apiserver/front.h"

namespace tidegate::apiserver {

net::Task<void> serve_exec(Desk& desk, const http::Request& request, const Call& call,
                           http::Responder& responder);

// How a command with this exit status ended, as the error channel says it.
std::string exec_status(int exit_code);

}  // namespace tidegate::apiserver
