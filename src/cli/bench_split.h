// `tidegate bench split`: asks for one model name many times and holds who served against the weights.
//
// Thread: the main thread.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/bench_client.h"

namespace tidegate::cli {

struct WeightedTarget {
  std::string model;
  double weight = 1;
};

// "sql-lora=10,tweet-summary=10"; a name alone weighs 1. Errors: kInvalid.
Result<std::vector<WeightedTarget>> parse_weights(std::string_view text);

// The targets of the InferenceModel with that modelName, from a manifest or a folder of manifests.
// Errors: kInvalid if a file cannot be read, kNotFound if no file has the model.
Result<std::vector<WeightedTarget>> read_weights(const std::string& path, std::string_view model);

struct SplitRun {
  BenchRequest request;
  std::uint32_t requests = 600;
  std::uint32_t concurrency = 16;
  bool progress = true;  // on standard error
};

struct SplitResults {
  std::vector<BenchAnswer> answers;
  std::vector<std::string> failures;  // what was wrong, one entry per failed request
  Duration took{};
};

// Sends all requests; a failed one is noted and not sent again.
SplitResults run_split(const SplitRun& run);

struct SplitReport {
  std::string text;     // the table, the groups, the test, the failures
  double p = 1;         // the smaller of the two tests: over all targets, over the groups
  bool passed = false;  // nothing failed, and the split is not impossible by chance (p >= 1e-6)
};

// Groups are the names up to their first '-': sql-lora and sql-lora-1 are "sql".
SplitReport report_split(const std::vector<WeightedTarget>& targets, const SplitResults& results);

}  // namespace tidegate::cli
