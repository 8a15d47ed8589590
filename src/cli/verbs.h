// The verbs of the program, one file pair each: `tidegate up`, `tidegate check`, ...
//
// Every verb adds itself as a subcommand of the command line and, when the user chose it, runs inside its
// callback and leaves its exit status behind. A new verb is a file pair here, a declaration below and a line
// in verbs.cc.
//
// Exit status: 0 success; 1 the work was done and the answer is no (a manifest is wrong, a check failed); 2
// the command line cannot be used. Verbs print for people: results on standard output, everything else on
// standard error.
//
// Thread: the main thread only.

#pragma once

#include "cli/command.h"

namespace tidegate::gateway {
struct Config;
}

namespace tidegate::cli {

// Adds every verb to `app`. `status` must outlive the parse.
void add_all(Command app, int& status);

void add_api_server(Command app, int& status);
void add_apply(Command app, int& status);
void add_bench(Command app, int& status);
void add_check(Command app, int& status);
void add_controller(Command app, int& status);
void add_delete(Command app, int& status);
void add_describe(Command app, int& status);
void add_engine(Command app, int& status);
void add_gateway(Command app, int& status);
void add_get(Command app, int& status);
void add_logs(Command app, int& status);
void add_scale(Command app, int& status);
void add_serve(Command app, int& status);
void add_shim(Command app, int& status);
void add_simulate(Command app, int& status);
void add_top(Command app, int& status);
void add_up(Command app, int& status);
void add_version(Command app, int& status);
void add_wait(Command app, int& status);

// The gateway's settings as options of a verb, set into `config`, which must outlive the parse.
void add_gateway_settings(Command verb, gateway::Config& config);

}  // namespace tidegate::cli
