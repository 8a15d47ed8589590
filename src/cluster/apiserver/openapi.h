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

}  // namespace tidegate::apiserver
