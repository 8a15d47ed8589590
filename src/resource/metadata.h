// What every object has to hold to, whatever its kind: apiVersion, kind and metadata.
//
// Thread: pure; any thread.
// Source: Kubernetes API conventions and meta/v1 ObjectMeta.

#pragma once

#include <vector>

#include "resource/kind.h"
#include "resource/object.h"

namespace tidegate::resource {

// Namespaced objects without a namespace go to "default"; cluster-scoped ones lose theirs, as in Kubernetes.
void set_metadata_defaults(const Kind& kind, Json& document);

void validate_metadata(const Kind& kind, const Json& document, std::vector<Error>& errors);

}  // namespace tidegate::resource
