// The grammars of names in API objects. Each check returns nothing for a right text, else what would be
// right, as the second half of an error message ("use lower-case letters, digits and '-'...").
//
// Thread: pure; any thread.
// Source: Kubernetes, "Object Names and IDs", "Labels and Selectors"; Gateway API shared types; RFC 1123, RFC
// 9110.

#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::resource {

using Syntax = std::string_view (*)(std::string_view text);

std::string_view dns_label(std::string_view text);         // RFC 1123 label, up to 63
std::string_view dns_subdomain(std::string_view text);     // RFC 1123 subdomain, up to 253
std::string_view rfc1035_label(std::string_view text);     // a label that begins with a letter: Services
std::string_view port_name(std::string_view text);         // IANA service name, up to 15
std::string_view label_key(std::string_view text);         // [prefix/]name
std::string_view label_value(std::string_view text);       // up to 63, may be empty
std::string_view kind_name(std::string_view text);         // "InferencePool"
std::string_view header_name(std::string_view text);       // RFC 9110 token, up to 256
std::string_view hostname(std::string_view text);          // "test.com", "*.test.com"; no address, no port
std::string_view any_host(std::string_view text);          // the same in either case, or "*"
std::string_view env_name(std::string_view text);          // printable, without '='
std::string_view config_key(std::string_view text);        // keys of ConfigMap and Secret
std::string_view ip_address(std::string_view text);        // IPv4 or IPv6, without brackets
std::string_view absolute_path(std::string_view text);     // begins with "/"
std::string_view gateway_duration(std::string_view text);  // Gateway API duration: "500ms", "1h30m"

// The whole number of a Gateway API duration in milliseconds. Empty if it is none.
std::optional<long long> duration_ms(std::string_view text);

// The candidate nearest to `text`, if one is near enough to be what was meant. Case is ignored.
std::string_view nearest(std::string_view text, const std::vector<std::string_view>& candidates);

}  // namespace tidegate::resource
