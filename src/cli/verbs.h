// The verbs of the program, one file pair each: `tidegate up`, `tidegate check`, ...
//
// Every verb adds itself as a subcommand of the command line and, when the user chose it, runs inside CLI11's
// callback and leaves its exit status behind. A new verb is a file pair here, a declaration below and a line
// in verbs.cc.
//
// Exit status: 0 success; 1 the work was done and the answer is no (a manifest is wrong, a check failed); 2
// the command line cannot be used. Verbs print for people: results on standard output, everything else on
// standard error.
//
// Thread: the main thread only.

#pragma once

namespace CLI {
class App;
}

namespace tidegate::gateway {
struct Config;
}

namespace tidegate::cli {

// Adds every verb to `app`. `status` must outlive the parse.
void add_all(CLI::App& app, int& status);

void add_api_server(CLI::App& app, int& status);
void add_apply(CLI::App& app, int& status);
void add_bench(CLI::App& app, int& status);
void add_check(CLI::App& app, int& status);
void add_controller(CLI::App& app, int& status);
void add_delete(CLI::App& app, int& status);
void add_describe(CLI::App& app, int& status);
void add_engine(CLI::App& app, int& status);
void add_gateway(CLI::App& app, int& status);
void add_get(CLI::App& app, int& status);
void add_logs(CLI::App& app, int& status);
void add_scale(CLI::App& app, int& status);
void add_serve(CLI::App& app, int& status);
void add_shim(CLI::App& app, int& status);
void add_simulate(CLI::App& app, int& status);
void add_top(CLI::App& app, int& status);
void add_up(CLI::App& app, int& status);
void add_version(CLI::App& app, int& status);
void add_wait(CLI::App& app, int& status);

// The gateway's settings as options of a verb, set into `config`, which must outlive the parse.
void add_gateway_settings(CLI::App& verb, gateway::Config& config);

}  // namespace tidegate::cli
