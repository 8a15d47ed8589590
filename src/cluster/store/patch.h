// Patches to documents, in the three forms of the Kubernetes API.
//
// Thread: pure; any thread.
// Source: RFC 7386 (merge patch); RFC 6902 (JSON patch); Kubernetes, "Update API Objects in Place Using
// kubectl patch" and k8s.io/apimachinery strategicpatch.

#pragma once

#include "cluster/client.h"
#include "resource/schema.h"

namespace tidegate::cluster {

// `document` changed as `patch` says. How a strategic patch merges a list is in the schema of the document's
// kind; without one every list is replaced. Errors: kInvalid if the patch is malformed or does not fit;
// kTooLarge if a JSON patch copies too much.
Result<Json> apply_patch(PatchType type, Json document, const Json& patch,
                         const resource::Schema* schema = nullptr);

// RFC 7386.
void merge_patch(Json& target, const Json& patch);

}  // namespace tidegate::cluster
