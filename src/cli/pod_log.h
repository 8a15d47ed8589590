// A container's log, copied from the API server to standard output.
//
// Thread: the main thread.

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "cli/server.h"

namespace tidegate::cli {

struct PodLogOptions {
  std::string container;  // empty: the pod's only one
  bool follow = false;
  bool previous = false;
  bool timestamps = false;
  std::optional<std::int64_t> tail;
  std::string since_seconds;
  std::string since_time;  // RFC 3339
};

// Returns at the log's end, or, with `follow`, when the container has ended. Errors: those of the server.
Result<void> copy_log(Server& server, const std::string& pod, const PodLogOptions& options);

}  // namespace tidegate::cli
