// The process_* families that every Prometheus client has: CPU, memory, file descriptors, start time.
//
// Thread: any.
// Source: proc(5); Prometheus' "Writing client libraries", process metrics.

#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "telemetry/exposition.h"
#include "telemetry/metrics.h"

namespace tidegate::telemetry {

struct ProcessStat {
  double cpu_seconds = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t resident_bytes = 0;
  double start_seconds_after_boot = 0;
  std::uint64_t threads = 0;
};

// Reads the text of /proc/PID/stat. Empty if it is not of that form. A command's name may hold blanks and
// brackets.
std::optional<ProcessStat> parse_process_stat(std::string_view text, double ticks_per_second,
                                              std::uint64_t page_bytes);

// Writes the families of this process; one that cannot be read is left out.
void write_process_metrics(ExpositionWriter& writer);

// Adds the above to every scrape.
void add_process_metrics(Registry& registry);

}  // namespace tidegate::telemetry
