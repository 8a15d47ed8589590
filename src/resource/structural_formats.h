// Formats of texts in structural schemas.
//
// Thread: pure; any thread.
// Source: OpenAPI 3.0 and k8s.io/kube-openapi pkg/validation/strfmt; formats that nobody here knows hold of every text, as
// there.

#pragma once

#include <string>
#include <string_view>

namespace tidegate::resource {

// Known: byte, cidr, date, date-time, duration, ipv4, ipv6, uuid. Others, and an empty one, are true.
bool has_format(std::string_view format, const std::string& text);

}  // namespace tidegate::resource
