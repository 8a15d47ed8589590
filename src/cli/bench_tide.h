// `tidegate bench tide`: puts load on a service until it has outgrown its own machines, takes it away, and
// tells what happened, under the HPA's algorithm and under the rule by demand.
//
// Thread: the main thread.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/bench_client.h"
#include "cli/server.h"

namespace tidegate::cli {

struct TideRun {
  ServerFlags server;
  std::string service = "qwen-chat";
  BenchRequest request;
  std::size_t clients = 5;
  std::string rule = "both";                     // "hpa", "demand", "both"
  Duration hold = std::chrono::seconds(3);       // under full load
  Duration patience = std::chrono::seconds(60);  // for the rise, and again for the ebb
  bool live = true;                              // a picture on a terminal, else a line per change
};

// 0 if every walk went as it should; 1 if not, with what was wrong on standard output.
int run_tide(const TideRun& run);

}  // namespace tidegate::cli
