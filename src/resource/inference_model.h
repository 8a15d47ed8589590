// InferenceModel: a model name that clients ask for, and the targets of one pool that serve it in shares.
//
// Thread: immutable once read; any thread.
// Source: kubernetes-sigs/gateway-api-inference-extension api/v1alpha1 @v0.1.0, api/v1alpha2 @v0.5.1.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "resource/kind.h"
#include "resource/object.h"

namespace tidegate::resource {

// Unset counts as standard.
enum class Criticality { kCritical, kStandard, kSheddable };

struct TargetModel {
  std::string name;
  // Relative share; unset on all targets means equal shares. v1alpha1 allows 0: the name is reserved, and a
  // request that finds only such targets is an error.
  std::optional<std::uint32_t> weight;
};

struct InferenceModel {
  std::string model_name;
  Criticality criticality = Criticality::kStandard;
  std::vector<TargetModel> targets;  // empty: the model name is passed on unchanged
  std::string pool_group;            // defaults to inference.networking.x-k8s.io
  std::string pool_kind;             // defaults to InferencePool
  std::string pool_name;             // in the model's own namespace

  // Errors: kInvalid with the field.
  static Result<InferenceModel> from(const Object& object);
};

Kind inference_model_kind();

}  // namespace tidegate::resource
