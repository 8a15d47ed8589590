// One check of a container, over the network: does the port accept, does the path answer with success.
//
// Thread: the loop's own.
// Source: Kubernetes probes: HTTP counts as success from 200 to 399; the answer's body is not looked at. Over
// TLS anybody's certificate will do.

#pragma once

#include <string>

#include "machine/pod_plan.h"
#include "net/loop.h"
#include "net/task.h"

namespace tidegate::machine {

struct ProbeResult {
  bool success = false;
  std::string message;  // why not
};

// `pod_ip` is used unless the plan names a host. Requires: plan.kind is kHttp or kTcp.
net::Task<ProbeResult> probe_network(net::Loop& loop, ProbePlan plan, std::string pod_ip);

// The status in "HTTP/1.1 200 OK"; 0 if the line is none. For tests.
int status_of_line(std::string_view line);

// All of an answer is there: what follows it, if the server keeps the connection open although it was asked
// not to, is not waited for. For tests.
bool is_whole_answer(std::string_view answer);

}  // namespace tidegate::machine
