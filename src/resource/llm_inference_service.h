// LLMInferenceService of KServe, in its simple form: a model by its URI, how many replicas, and what to
// change of the pods that serve it. Several nodes for one replica (worker), split prefill, and presets
// (baseRefs) are refused, because nothing here would carry them out.
//
// Thread: immutable once read; any thread.
// Source: kserve/kserve pkg/apis/serving/v1alpha2/llm_inference_service_types.go.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "resource/kind.h"
#include "resource/object.h"

namespace tidegate::resource {

inline constexpr std::string_view kLlmServiceKind = "LLMInferenceService";

struct LlmInferenceService {
  struct Adapter {
    std::string name;
    std::string uri;
  };
  Metadata metadata;
  std::string uri;   // "pvc://claim/folder", "hf://Qwen/Qwen2.5-0.5B"
  std::string name;  // that requests give; empty: the object's
  std::vector<Adapter> adapters;
  int replicas = 1;
  std::optional<int> min_replicas, max_replicas;  // scaling instead of replicas
  int tensor_parallel = 1;

  // Errors: kInvalid with the field.
  static Result<LlmInferenceService> from(const Object& object);
};

Kind llm_inference_service_kind();

}  // namespace tidegate::resource
