// Which of two API versions is preferred: v2 before v1, those before v1beta2, v1beta1, v1alpha1, and other names last.
//
// Thread: pure; any thread.
// Source: Kubernetes, "Versions in CustomResourceDefinitions", version priority.

#pragma once

#include <string_view>

namespace tidegate::resource {

bool version_before(std::string_view a, std::string_view b);

}  // namespace tidegate::resource
