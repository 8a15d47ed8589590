#include "gateway/dialect/engine.h"

#include <string>
#include <utility>

namespace tidegate::dialect {
namespace {

constexpr std::pair<std::string_view, Engine> kWords[] = {
    {"vllm", Engine::kVllm},
    {"sglang", Engine::kSglang},
    {"llama.cpp", Engine::kLlamaCpp},
    {"llamacpp", Engine::kLlamaCpp},
    {"tensorrt-llm", Engine::kTensorRtLlm},
    {"trtllm", Engine::kTensorRtLlm},
    {"trtllm-serve", Engine::kTensorRtLlm},
};

constexpr std::pair<std::string_view, Engine> kOwners[] = {
    {"vllm", Engine::kVllm},
    {"sglang", Engine::kSglang},
    {"llamacpp", Engine::kLlamaCpp},
    {"tensorrt_llm", Engine::kTensorRtLlm},
};

}  // namespace

std::string_view name_of(Engine engine) {
  switch (engine) {
    case Engine::kUnknown:
      return "unknown";
    case Engine::kVllm:
      return "vllm";
    case Engine::kSglang:
      return "sglang";
    case Engine::kLlamaCpp:
      return "llama.cpp";
    case Engine::kTensorRtLlm:
      return "tensorrt-llm";
  }
  return "unknown";
}

Result<Engine> parse_engine(std::string_view text) {
  for (const auto& [word, engine] : kWords) {
    if (word == text) return engine;
  }
  return invalid(
      "", "is \"" + std::string(text.substr(0, 40)) + "\"; use vllm, sglang, llama.cpp or tensorrt-llm");
}

Engine engine_of_owner(std::string_view owner) {
  for (const auto& [word, engine] : kOwners) {
    if (word == owner) return engine;
  }
  return Engine::kUnknown;
}

// trtllm-serve has JSON under /metrics.
std::string_view metrics_path(Engine engine) {
  return engine == Engine::kTensorRtLlm ? "/prometheus/metrics" : "/metrics";
}

}  // namespace tidegate::dialect
