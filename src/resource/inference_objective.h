// InferenceObjective: how important requests are that name it in a header. InferenceModelRewrite: which model
// names are asked of the engine as which others.
//
// Both exist in two groups with the same form: Gateway API Inference Extension's and llm-d's.
//
// Thread: immutable once read; any thread.
// Source: kubernetes-sigs/gateway-api-inference-extension apix/v1alpha2; llm-d/llm-d-router apix/v1alpha2.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "resource/inference_model.h"
#include "resource/kind.h"
#include "resource/object.h"

namespace tidegate::resource {

inline constexpr std::string_view kLlmdGroup = "llm-d.ai";

struct PoolReference {
  std::string group;  // defaults to inference.networking.k8s.io
  std::string name;   // in the object's own namespace
};

struct InferenceObjective {
  std::int32_t priority = 0;  // higher goes first; below 0 may be shed
  PoolReference pool;

  // Errors: kInvalid with the field.
  static Result<InferenceObjective> from(const Object& object);
};

struct InferenceModelRewrite {
  struct Rule {
    std::vector<std::string> models;  // exact names; empty: every name
    std::vector<TargetModel> targets;
  };
  PoolReference pool;
  std::vector<Rule> rules;

  // Errors: kInvalid with the field.
  static Result<InferenceModelRewrite> from(const Object& object);
};

Kind inference_objective_kind(std::string_view group);
Kind inference_model_rewrite_kind(std::string_view group);

}  // namespace tidegate::resource
