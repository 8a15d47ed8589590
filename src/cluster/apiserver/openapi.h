// OpenAPI v3 as kubectl asks for it.
//
// Thread: pure.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "resource/kind_set.h"

namespace tidegate::apiserver {

// /openapi/v3 (where each group and version is described) and /openapi/v3/apis/G/V. Nothing for any other
// path.
std::optional<std::string> openapi(std::string_view path, const resource::KindSet& kinds);

// GET /openapi/v2: a document without any paths, so that clients that ask for the older form, as kubectl does for kinds
// that it does not find, learn that nothing is known instead of failing.
std::string empty_openapi_v2(bool protobuf);

}  // namespace tidegate::apiserver
