// From a container to the command that runs here: whose program, with which arguments, in which environment.
//
// Pure but for looking programs up on PATH.
//
// vLLM's two command lines, "python3 -m vllm.entrypoints.openai.api_server ..." and "vllm serve MODEL ...",
// are answered in the engine mode of the image map. They are recognised directly where they are the
// container's command, and through programs named python3, python and vllm in a folder that comes first on
// PATH (`write_shims`) where a shell starts them: those run "tidegate shim NAME ...", which asks
// engine_command() and otherwise runs the real program.
//
// Thread: any.

#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "machine/environment.h"
#include "machine/image.h"
#include "machine/process.h"

namespace tidegate::machine {

// What all containers of this home have in common.
struct HomePaths {
  std::filesystem::path data_dir;  // absolute
  std::filesystem::path program;   // this program, for the engine and the shims
  std::string path;                // PATH of the home itself
  std::filesystem::path shims() const { return data_dir / "shims"; }
};

// Mount path in the container -> path on this machine.
using PathMap = std::map<std::string, std::string>;

// The variables that tell our own engine, the shims and curious programs where they are.
inline constexpr const char* kPodIpVariable = "TIDEGATE_POD_IP";
inline constexpr const char* kGraceVariable = "TIDEGATE_POD_GRACE_S";  // terminationGracePeriodSeconds
inline constexpr const char* kEngineVariable = "TIDEGATE_ENGINE";     // "simulate", "cpu" or "vllm"
inline constexpr const char* kProgramVariable = "TIDEGATE_PROGRAM";   // absolute path
inline constexpr const char* kPathMapVariable = "TIDEGATE_PATH_MAP";  // "/adapters=/real/path:/models=/other"
inline constexpr const char* kShimsVariable = "TIDEGATE_SHIMS";       // the folder that comes first on PATH

// `variables` are the container's own, resolved. Errors: kInvalid if nothing says what to run.
Result<Command> make_command(const PodPlan& pod, const ContainerPlan& container, const ImageChoice& choice,
                             EngineMode mode, const HomePaths& home, const PodPlace& place,
                             const PathMap& mounts, const Variables& variables);

// If `argv` starts vLLM's server: the command that does so in this mode, else empty. `pod_ip` is what a real
// vLLM is told to listen on, for it would take every address.
std::optional<std::vector<std::string>> engine_command(const std::vector<std::string>& argv, EngineMode mode,
                                                       const std::string& program, const std::string& pod_ip);

// Errors: kInternal if the folder cannot be written.
Result<void> write_shims(const HomePaths& home);

std::string_view engine_word(EngineMode mode);
std::optional<EngineMode> engine_mode(std::string_view word);

}  // namespace tidegate::machine
