// tidegate shim NAME ARGS...: stands where a pod's shell looks for python3, python or vllm. If the command
// line starts vLLM's server, the engine that this home chose takes its place; otherwise the real program
// runs. Written for the scripts in DATA/shims, not for people.

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

#include "cli/verbs.h"
#include "machine/launch.h"
#include "machine/process.h"

namespace tidegate::cli {
namespace {

constexpr int kCannotRun = 126;
constexpr int kNotFound = 127;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

std::string path_without(const std::string& path, const std::string& folder) {
  std::string result;
  std::size_t at = 0;
  while (at <= path.size()) {
    const std::size_t end = std::min(path.find(':', at), path.size());
    const std::string part = path.substr(at, end - at);
    if (part != folder) result += (result.empty() ? "" : ":") + part;
    at = end + 1;
  }
  return result;
}

int run_shim(std::vector<std::string> argv) {
  if (argv.empty()) return kNotFound;
  const auto mode = machine::engine_mode(variable(machine::kEngineVariable));
  const std::string path = path_without(variable("PATH"), variable(machine::kShimsVariable));
  if (mode) {
    auto engine = machine::engine_command(argv, *mode, variable(machine::kProgramVariable),
                                          variable(machine::kPodIpVariable));
    // The real vLLM looks for its helpers on PATH and must not find us there.
    if (engine && *mode == machine::EngineMode::kVllm) setenv("PATH", path.c_str(), 1);
    if (engine) argv = *std::move(engine);
  }
  const std::string program = machine::find_program(argv.front(), path);
  if (program.empty()) {
    std::cerr << argv.front() << ": not found on this machine\n";
    return kNotFound;
  }
  std::vector<char*> pointers;
  for (std::string& word : argv) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  execv(program.c_str(), pointers.data());
  std::cerr << program << ": " << std::strerror(errno) << '\n';
  return kCannotRun;
}

}  // namespace

void add_shim(Command app, int& status) {
  Command verb = app.add_subcommand("shim", "Stand in for python3 or vllm in a pod");
  verb.hide();
  verb.take_everything();
  verb.callback([verb, &status] { status = run_shim(verb.remaining()); });
}

}  // namespace tidegate::cli
