// An LLMInferenceService read as the InferenceService that serves the same model: one round of decide() then
// does for both.
//
// Thread: pure.

#pragma once

#include "base/result.h"
#include "resource/object.h"

namespace tidegate::serving {

// The same object (kind, metadata, status) with a predictor in its spec. Errors: kInvalid with the field.
Result<resource::ObjectPtr> as_inference_service(const resource::Object& object);

bool is_llm(const resource::Object& object);

}  // namespace tidegate::serving
