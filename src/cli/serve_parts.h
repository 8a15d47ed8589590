// What the commands of `arena serve` share: arena's global flags, its way to report, and how they find jobs.
//
// Thread: the main thread.

#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cli/arena/flag_set.h"
#include "cli/arena/serving_job.h"
#include "cli/server.h"

namespace tidegate::cli {

// The flags that every command of arena takes.
struct ServeGlobals {
  std::string config, context, namespace_, arena_namespace, log_level = "info";
  bool help = false;

  void add_to(arena::FlagSet& set);
  Result<std::unique_ptr<Server>> reach() const;
};

// A command's flags, parsed together with the global ones.
struct Parsed {
  std::vector<std::string> words;
  bool done = false;  // help was asked for, or something was wrong; `status` says which
  int status = 0;
};
Parsed parse_command(arena::FlagSet& set, ServeGlobals& globals, std::span<const std::string> arguments,
                     const std::string& usage_line);

// "INFO[0000] text" on standard error, with the seconds since the start, as arena's log has it.
void log_info(const std::string& text);
// "Error: why" on standard error; gives the exit status: 2 for what was typed, 1 for the rest.
int report_usage(const std::string& why);
int report_failure(const std::string& why);

// Of one namespace, or of all if it is empty.
struct Cluster {
  std::vector<resource::Json> services, deployments, pods;
};
Result<Cluster> read_cluster(Server& server, std::string_view namespace_);

// Errors: kNotFound in arena's words.
Result<arena::ServingJob> find_job(Server& server, const std::string& name, const std::string& version);

int serve_submit(std::span<const std::string> arguments);
int serve_update(std::span<const std::string> arguments);

}  // namespace tidegate::cli
