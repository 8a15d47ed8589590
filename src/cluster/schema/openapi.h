// What GET /openapi/v3 and below answers: made from the catalogue and, for custom
// kinds, from the schemas of their definitions; enough for kubectl explain, for the check
// that a server validates fields, and for telling which kinds take strategic merge patches.
//
// Thread: pure; any thread.
// Source: OpenAPI 3.0; Kubernetes, "OpenAPI v3" and its x-kubernetes-* extensions.

#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "resource/kind_set.h"

namespace tidegate::schema {

// The body of /openapi/v3: the documents there are, each with a hash that changes when it does.
std::string openapi_index(const resource::KindSet& kinds);

// The body of /openapi/v3/PATH; `path` is "api/v1" or "apis/apps/v1". Errors: kNotFound.
Result<std::string> openapi_document(std::string_view path, const resource::KindSet& kinds);

}  // namespace tidegate::schema
