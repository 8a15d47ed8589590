#include "machine/launch.h"

#include <sys/stat.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <system_error>

#include "machine/sweep.h"

namespace tidegate::machine {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kServerModule = "vllm.entrypoints.openai.api_server";
constexpr std::array<const char*, 3> kShimNames = {"python3", "python", "vllm"};

// What a program on this machine may need to find its libraries, devices and models. Everything else that the
// user's shell holds (keys among it) stays out of pods.
constexpr std::array<const char*, 13> kInherited = {"HOME",
                                                    "OMP_NUM_THREADS",
                                                    "LANG",
                                                    "LC_ALL",
                                                    "TZ",
                                                    "TMPDIR",
                                                    "LD_LIBRARY_PATH",
                                                    "CUDA_HOME",
                                                    "CUDA_VISIBLE_DEVICES",
                                                    "NVIDIA_VISIBLE_DEVICES",
                                                    "HF_HOME",
                                                    "VIRTUAL_ENV",
                                                    "ASAN_OPTIONS"};

bool is_python(const std::string& program) {
  const std::string name = fs::path(program).filename().string();
  return name == "python" || name.starts_with("python3");
}

// The server's arguments behind "python3 [-u ...] -m vllm.entrypoints.openai.api_server".
std::optional<std::vector<std::string>> after_module(const std::vector<std::string>& argv) {
  std::size_t at = 1;
  while (at < argv.size() && argv[at].size() > 1 && argv[at][0] == '-' && argv[at] != "-m" &&
         argv[at] != "-c")
    ++at;
  if (at + 1 >= argv.size() || argv[at] != "-m" || argv[at + 1] != kServerModule) return std::nullopt;
  return std::vector<std::string>(argv.begin() + static_cast<std::ptrdiff_t>(at) + 2, argv.end());
}

// The server's arguments behind "vllm serve [MODEL]", the model as a flag.
std::optional<std::vector<std::string>> after_serve(const std::vector<std::string>& argv) {
  if (argv.size() < 2 || argv[1] != "serve") return std::nullopt;
  std::vector<std::string> arguments(argv.begin() + 2, argv.end());
  if (!arguments.empty() && !arguments.front().starts_with("-"))
    arguments.insert(arguments.begin(), "--model");
  return arguments;
}

std::string joined(const PathMap& mounts) {
  std::string text;
  for (const auto& [inside, outside] : mounts) text += (text.empty() ? "" : ":") + inside + "=" + outside;
  return text;
}

Variables make_environment(const PodPlan& pod, EngineMode mode, const HomePaths& home, const PodPlace& place,
                           const PathMap& mounts, const Variables& variables) {
  Variables result;
  for (const char* name : kInherited) {
    if (const char* value = std::getenv(name)) result[name] = value;
  }
  result["HOSTNAME"] = pod.hostname;
  result["POD_IP"] = place.pod_ip;
  result["POD_NAME"] = pod.key.name;
  result["POD_NAMESPACE"] = pod.key.namespace_;
  for (const auto& [name, value] : variables) result[name] = value;
  const auto path = variables.find("PATH");
  result["PATH"] = home.shims().string() + ":" + (path == variables.end() ? home.path : path->second);
  result[kPodIpVariable] = place.pod_ip;
  result[kGraceVariable] =
      std::to_string(std::chrono::duration_cast<std::chrono::seconds>(pod.grace).count());
  result[kEngineVariable] = engine_word(mode);
  result[kProgramVariable] = home.program.string();
  result[kShimsVariable] = home.shims().string();
  result[kHomeVariable] = home.data_dir.string();
  if (!mounts.empty()) result[kPathMapVariable] = joined(mounts);
  return result;
}

}  // namespace

std::string_view engine_word(EngineMode mode) {
  switch (mode) {
    case EngineMode::kSimulate:
      return "simulate";
    case EngineMode::kCpu:
      return "cpu";
    case EngineMode::kVllm:
      return "vllm";
  }
  return {};
}

std::optional<EngineMode> engine_mode(std::string_view word) {
  for (const EngineMode mode : {EngineMode::kSimulate, EngineMode::kCpu, EngineMode::kVllm}) {
    if (engine_word(mode) == word) return mode;
  }
  return std::nullopt;
}

std::optional<std::vector<std::string>> engine_command(const std::vector<std::string>& argv, EngineMode mode,
                                                       const std::string& program,
                                                       const std::string& pod_ip) {
  if (argv.empty()) return std::nullopt;
  auto arguments = is_python(argv.front())                       ? after_module(argv)
                   : fs::path(argv.front()).filename() == "vllm" ? after_serve(argv)
                                                                 : std::nullopt;
  if (!arguments) return std::nullopt;
  std::vector<std::string> command;
  switch (mode) {
    case EngineMode::kSimulate:
      command = {program, "engine", "--simulate"};
      break;
    case EngineMode::kCpu:
      command = {program, "engine"};
      break;
    case EngineMode::kVllm:
      command = argv;
      command.insert(command.end(), {"--host", pod_ip});  // the last one counts
      return command;
  }
  command.insert(command.end(), arguments->begin(), arguments->end());
  return command;
}

Result<Command> make_command(const PodPlan& pod, const ContainerPlan& container, const ImageChoice& choice,
                             EngineMode mode, const HomePaths& home, const PodPlace& place,
                             const PathMap& mounts, const Variables& variables) {
  Command command;
  command.environment = make_environment(pod, mode, home, place, mounts, variables);
  for (const std::string& word : container.spec.command) {
    command.argv.push_back(expand(word, command.environment));
  }
  if (command.argv.empty() && choice.run_as == RunAs::kEngine) {
    command.argv = {"python3", "-m", std::string(kServerModule)};  // the image's own entry point
  }
  if (command.argv.empty()) {
    return invalid("command",
                   "is not set, and without the image nobody here knows its entry point; write the command "
                   "into the container");
  }
  for (const std::string& word : container.spec.args)
    command.argv.push_back(expand(word, command.environment));
  if (choice.run_as == RunAs::kEngine) {
    if (auto engine = engine_command(command.argv, mode, home.program.string(), place.pod_ip)) {
      command.argv = *std::move(engine);
      if (mode == EngineMode::kVllm) command.environment["PATH"] = home.path;  // the real one, past the shims
    }
  }
  command.working_dir = container.spec.working_dir;
  // A working directory inside a mount is on this machine where the mount points.
  for (const auto& [inside, outside] : mounts) {
    if (command.working_dir.starts_with(inside))
      command.working_dir = outside + command.working_dir.substr(inside.size());
  }
  std::error_code ignored;
  if (!command.working_dir.empty() && !fs::is_directory(command.working_dir, ignored)) {
    // A folder of the image, which is not here. Programs of this machine do not need it.
    command.working_dir.clear();
  }
  return command;
}

Result<void> write_shims(const HomePaths& home) {
  std::error_code error;
  fs::create_directories(home.shims(), error);
  for (const char* name : kShimNames) {
    const fs::path file = home.shims() / name;
    std::ofstream script(file, std::ios::trunc);
    script << "#!/bin/sh\nexec \"$" << kProgramVariable << "\" shim " << name << " \"$@\"\n";
    script.close();
    if (!script || chmod(file.c_str(), 0755) != 0) {
      return fail(Code::kInternal, "cannot write " + file.string() + "; is the data folder writable?");
    }
  }
  return {};
}

}  // namespace tidegate::machine
