// Which engines there are, and by what they are told apart: what a user says, the names on a metrics page,
// who owns the models that are listed.
//
// Source: llm-d (label llm-d.ai/engine-type); vLLM, SGLang, llama.cpp and TensorRT-LLM, their /v1/models.
// Thread: pure.

#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace tidegate::dialect {

enum class Engine : std::uint8_t { kUnknown, kVllm, kSglang, kLlamaCpp, kTensorRtLlm };

// "vllm", "sglang", "llama.cpp", "tensorrt-llm", "unknown".
std::string_view name_of(Engine engine);

// A user's word, upstream's names too. Errors: kInvalid.
Result<Engine> parse_engine(std::string_view text);

// owned_by of a listed model.
Engine engine_of_owner(std::string_view owner);

// Where its Prometheus page is.
std::string_view metrics_path(Engine engine);

}  // namespace tidegate::dialect
