// What `tidegate check` finds, apart from printing it.
//
// Thread: any; reads files.

#pragma once

#include <string>
#include <vector>

namespace tidegate::cli {

struct CheckResult {
  int files = 0;
  int documents = 0;
  std::vector<std::string> errors;  // each with its place: "pool.yaml:14: InferencePool default/p: ..."
};

// `paths` are files, or directories of which *.yaml, *.yml and *.json count.
CheckResult check_manifests(const std::vector<std::string>& paths);

}  // namespace tidegate::cli
