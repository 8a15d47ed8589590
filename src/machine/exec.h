// A command beside a container: with the environment and in the working directory of the container's process,
// and dead with the caller's thread at the latest.
//
// Thread: any that lives as long as the command may (see process.h).
// Source: proc(5); pty(7); kubelet's exec.

#pragma once

#include <sys/types.h>

#include <memory>

#include "base/result.h"
#include "cluster/kubelet.h"

namespace tidegate::machine {

// `beside`: the leader of the container's process group. Errors: kNotFound if the container does not run any
// more or there is no such program; kForbidden; kExhausted.
Result<std::shared_ptr<cluster::Execution>> execute(pid_t beside, const cluster::ExecOptions& options);

}  // namespace tidegate::machine
