// PriorityClass: a name for a pod's priority.
//
// Thread: immutable once read; any thread.
// Source: Kubernetes scheduling.k8s.io/v1.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "resource/kind.h"
#include "resource/object.h"

namespace tidegate::resource {

// Above this only the classes that Kubernetes brings along: system-cluster-critical and system-node-critical.
inline constexpr std::int64_t kUserPriorityMax = 1'000'000'000;

struct PriorityClass {
  std::int64_t value = 0;
  bool global_default = false;
  bool never_preempts = false;

  // Errors: kInvalid with the field.
  static Result<PriorityClass> from(const Object& object);
};

Kind priority_class_kind();

}  // namespace tidegate::resource
