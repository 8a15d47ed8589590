// `arena serve ...`: the commands of arena, kubeflow's command line for jobs, that deal with KServe services.
// `tidegate serve` is the same, and so is the binary called through a link named `arena`.
//
// Thread: the main thread.

#pragma once

#include <span>
#include <string>

namespace tidegate::cli {

// `arguments` without the program's own name, and without "serve". Returns the exit status.
int run_serve(std::span<const std::string> arguments);

// All that stands behind the name `arena`. Only `serve` and `version` are answered.
int run_arena(std::span<const std::string> arguments);

// Whether the program was called as arena: "/usr/local/bin/arena".
bool called_as_arena(const std::string& program);

}  // namespace tidegate::cli
