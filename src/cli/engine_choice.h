// Which engine answers for vLLM images in `tidegate up`: the one asked for; else the CPU engine where a --path
// leads to a model; else the simulated one.
//
// Thread: any. Looks at folders, changes nothing.

#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "machine/image.h"

namespace tidegate::cli {

struct EngineChoice {
  machine::EngineMode mode = machine::EngineMode::kSimulate;
  std::string why;  // "cpu, as /model/llama2 is /models/demo, which holds a model"
};

// `asked` is --engine, empty if not given; `paths` are the --path options: path of the image -> folder here. A
// folder holds a model if config.json is in it or in a folder of it. Errors: kInvalid for an unknown word.
Result<EngineChoice> choose_engine(const std::string& asked, const std::map<std::string, std::string>& paths);

}  // namespace tidegate::cli
