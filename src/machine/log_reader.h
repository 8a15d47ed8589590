// Reads a container's log back from disk: what `kubectl logs` asks for.
//
// A log is the live file and those that rotation left beside it. The reader keeps up with rotation, and ends
// a followed log when the container's run has ended and everything was read.
//
// Thread: pure but for reading files; one reader, one caller at a time. Source: Kubernetes core/v1
// PodLogOptions, kubelet's "CRI" log format.

#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "cluster/kubelet.h"
#include "resource/object.h"

namespace tidegate::machine {

// Which container's which run is meant.
struct LogChoice {
  std::string container;
  std::int64_t run = 0;  // restartCount of that run: "<run>.log"
};

// Errors: kInvalid, in the kubelet's words.
Result<LogChoice> choose_log(const resource::Object& pod, const cluster::LogOptions& options);

// `folder` is the container's: DATA/pods/<namespace>_<name>_<uid>/<container>.
// Errors: kNotFound if there is no log of that run.
Result<cluster::LogReader> open_log(const std::filesystem::path& folder, std::int64_t run,
                                    const cluster::LogOptions& options);

// One stored line, "TIME STREAM F|P TEXT".
struct LogLine {
  std::string_view time;
  std::string_view text;
  bool full = true;
};
// Empty for what is none.
std::optional<LogLine> read_log_line(std::string_view line);

}  // namespace tidegate::machine
