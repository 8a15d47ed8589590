// What an API server says of a request that failed, as our Error.
//
// Thread: pure.
// Source: meta/v1 Status; Kubernetes API conventions, "Response Status Kind".

#pragma once

#include <string_view>

#include "base/result.h"
#include "resource/object.h"

namespace tidegate::remote {

// From the answer's HTTP status and body; a body that is no Status gives what the number says.
Error error_of(int http_status, std::string_view body);

// From a Status object, as in a watch's ERROR event.
Error error_of(const resource::Json& status);

}  // namespace tidegate::remote
