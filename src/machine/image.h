// The image map: how a container image runs on a machine without a container runtime.
//
// Rules are tried in order and the first whose pattern matches wins; the user's come before the built-in
// ones. An image that no rule knows does not run: guessing would start a program of the wrong kind on the
// user's own machine.
//
// Thread: immutable once made; any thread.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidegate::machine {

// What answers where a manifest asks for vLLM.
enum class EngineMode {
  kSimulate,  // tidegate engine --simulate
  kCpu,       // tidegate engine
  kVllm,      // the vllm found on PATH
};

enum class RunAs {
  kEngine,  // vLLM's command line, answered in the engine mode
  kHost,    // the container's own command, run by this machine's programs
  kSkip,    // not run; counts as running so that the pod's other containers are not held up
  kUnknown,
};

struct ImageRule {
  std::string pattern;  // '*' stands for any run of characters, '/' included; matched without tag and digest
  RunAs run_as = RunAs::kUnknown;
  std::string why;
};

struct ImageChoice {
  RunAs run_as = RunAs::kUnknown;
  std::string why;  // "matches */vllm*: runs as tidegate engine --simulate"
};

class ImageMap {
 public:
  // `user_rules` as given on the command line: "PATTERN=engine", "PATTERN=host", "PATTERN=skip".
  // Errors: kInvalid naming the rule.
  static Result<ImageMap> make(EngineMode mode, const std::vector<std::string>& user_rules);

  // `words` are the container's command and arguments. Where no rule knows the image, a command that starts
  // vLLM's server tells what it is: "python3 -m vllm.entrypoints.openai.api_server", "vllm serve", also
  // inside a shell's -c.
  ImageChoice choose(std::string_view image, const std::vector<std::string>& words = {}) const;
  EngineMode mode() const { return mode_; }

 private:
  ImageMap(EngineMode mode, std::vector<ImageRule> rules) : mode_(mode), rules_(std::move(rules)) {}

  EngineMode mode_;
  std::vector<ImageRule> rules_;
};

// '*' in `pattern` matches any run of characters.
bool matches_pattern(std::string_view pattern, std::string_view text);

// "registry:5000/team/vllm:0.4.1@sha256:..." -> "registry:5000/team/vllm".
std::string_view image_repository(std::string_view image);

std::string_view describe(EngineMode mode);

}  // namespace tidegate::machine
