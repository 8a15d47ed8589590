// Starting and ending child processes: each the leader of its own process group, so that a shell and
// everything it started end together.
//
// A child gets SIGKILL when the thread that started it ends (PR_SET_PDEATHSIG), so start children from a
// thread that lives as long as the machine. What a child of a child leaves behind after a kill -9 of this
// program is found by sweep.h at the next start.
//
// Thread: any, but see above. Source: prctl(2), pidfd_open(2), setpgid(2).

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidegate::machine {

struct Command {
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;  // all of it; nothing is inherited
  std::string working_dir;                         // empty: "/"
  bool quiet = false;                              // its output goes nowhere; Child::out and err stay -1
};

struct Child {
  pid_t pid = -1;
  int pidfd = -1;  // non-blocking, owned by the caller; readable when the process has ended
  int out = -1;    // read ends of its standard output and error, non-blocking, owned by the caller
  int err = -1;
  std::uint64_t started = 0;  // clock ticks since boot; with the pid it names a process for good
};

// Errors: kNotFound if there is no such program on the environment's PATH (or no such working directory),
// kForbidden if it may not be run, kExhausted if the system has no room.
Result<Child> spawn(const Command& command);

// Where `program` is found: itself if it holds a slash, else the first executable on `path`. Empty if
// nowhere.
std::string find_program(std::string_view program, std::string_view path);

struct ExitStatus {
  int code = 0;
  int signal = 0;
};

bool has_ended(const Child& child);

// Something else of its process group still runs: a shell ends at once when it is told to, and what it
// started does not. Requires: it was not collected.
bool group_lives_on(const Child& child);

// Its leader was ended by this signal, and did not end by itself. Requires: as above.
bool was_ended_by(const Child& child, int signal);

// Ends the rest of the process group, then collects the leader. Call it when that has ended: it waits.
ExitStatus collect(const Child& child);

// To the whole group. Harmless if it has ended but was not yet collected.
void signal_group(const Child& child, int signal);

// The start time of a process as in Child::started; 0 if there is none.
std::uint64_t start_time_of(pid_t pid);

}  // namespace tidegate::machine
