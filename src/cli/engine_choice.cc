#include "cli/engine_choice.h"

#include <filesystem>

#include "machine/launch.h"

namespace tidegate::cli {
namespace {

namespace fs = std::filesystem;

bool holds_model(const fs::path& folder) {
  std::error_code error;
  if (fs::exists(folder / "config.json", error)) return true;
  for (fs::directory_iterator child(folder, error), end; !error && child != end; child.increment(error)) {
    std::error_code ignored;
    if (fs::exists(child->path() / "config.json", ignored)) return true;
  }
  return false;
}

}  // namespace

Result<EngineChoice> choose_engine(const std::string& asked,
                                   const std::map<std::string, std::string>& paths) {
  if (!asked.empty()) {
    const auto mode = machine::engine_mode(asked);
    if (!mode) return invalid("--engine", "is '" + asked + "'; use simulate, cpu or vllm");
    return EngineChoice{*mode, asked + ", as --engine says"};
  }
  for (const auto& [inside, outside] : paths) {
    if (!holds_model(outside)) continue;
    return EngineChoice{machine::EngineMode::kCpu,
                        "cpu, as " + inside + " is " + outside + ", which holds a model"};
  }
  return EngineChoice{machine::EngineMode::kSimulate,
                      "simulate, as no --path leads to a model; for real answers add --path /model=DIR"};
}

}  // namespace tidegate::cli
