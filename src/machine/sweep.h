// Finding and ending what an earlier run of this home left behind, so that a kill -9 and a restart never
// leave two engines for one pod.
//
// Two traces are followed: the pid file that is written beside a container's log at each start (pid and start
// time, so a number that was given away is never hit), and the variable TIDEGATE_HOME_DIR that every process
// of a pod inherits, which also finds what a shell started and lost.
//
// Thread: any; call it before the first pod starts. Only processes of this user are touched.

#pragma once

#include <filesystem>
#include <vector>

#include "machine/process.h"

namespace tidegate::machine {

inline constexpr const char* kHomeVariable = "TIDEGATE_HOME_DIR";

// Remembers a child in `folder` (the container's log folder). Errors are not fatal: the variable finds it
// too.
void write_pid_file(const std::filesystem::path& folder, const Child& child);
void remove_pid_file(const std::filesystem::path& folder);
// Whether a run has begun there and not ended. The file goes only after the run's output was written.
bool has_pid_file(const std::filesystem::path& folder);

// Ends every process that belongs to pods of this data folder and waits until they are gone, at most two
// seconds. Returns how many there were.
std::size_t sweep_leftovers(const std::filesystem::path& data_dir);

}  // namespace tidegate::machine
