// HTTPRoute of the Gateway API: which requests go to which pools and services, and what is changed on the
// way.
//
// Thread: immutable once read; any thread.
// Source: kubernetes-sigs/gateway-api apis/v1/httproute_types.go and shared_types.go.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "resource/kind.h"
#include "resource/object.h"
#include "resource/string_match.h"

namespace tidegate::resource {

struct ParentRef {
  std::string group;  // defaults to gateway.networking.k8s.io
  std::string kind;   // defaults to Gateway
  std::string namespace_;
  std::string name;
  std::string section_name;           // a listener; empty: all
  std::optional<std::uint16_t> port;  // listeners of this port only
};

struct PathMatch {
  MatchType type = MatchType::kPrefix;  // a prefix matches by path element: "/abc" is no prefix of "/abcd"
  std::string value = "/";
};

struct NamedMatch {
  std::string name;  // a header in lower case, or a query parameter as written
  StringMatch match;
};

struct HTTPRouteMatch {
  PathMatch path;
  std::vector<NamedMatch> headers;  // of entries with an equal name the first counts and only that is kept
  std::vector<NamedMatch> query;
  std::string method;  // empty: any
};

struct HeaderModifier {
  std::vector<std::pair<std::string, std::string>> set;
  std::vector<std::pair<std::string, std::string>> add;
  std::vector<std::string> remove;
};

struct PathModifier {
  enum class Type { kNone, kReplaceFull, kReplacePrefix };
  Type type = Type::kNone;
  std::string value;
};

struct Redirect {
  std::string scheme;
  std::string hostname;
  PathModifier path;
  std::optional<std::uint16_t> port;
  int status = 302;
};

struct UrlRewrite {
  std::string hostname;
  PathModifier path;
};

struct ObjectRef {
  std::string group;
  std::string kind;
  std::string name;
  std::string namespace_;  // empty: the referrer's own
  std::optional<std::uint16_t> port;
};

struct Mirror {
  ObjectRef to;
  std::uint32_t numerator = 100;
  std::uint32_t denominator = 100;
};

enum class FilterType {
  kRequestHeaderModifier,
  kResponseHeaderModifier,
  kRequestRedirect,
  kUrlRewrite,
  kRequestMirror,
  kCors,          // only in `raw`
  kExtensionRef,  // `extension`; one that cannot be resolved must fail the request
};

struct HTTPRouteFilter {
  FilterType type = FilterType::kExtensionRef;
  HeaderModifier headers;
  Redirect redirect;
  UrlRewrite rewrite;
  Mirror mirror;
  ObjectRef extension;
  std::string raw;  // the filter as JSON
};

struct HTTPBackendRef {
  ObjectRef to;  // group "" and kind Service unless set
  std::uint32_t weight = 1;
  std::vector<HTTPRouteFilter> filters;
};

struct HTTPRouteRule {
  std::string name;
  std::vector<HTTPRouteMatch> matches;  // one is enough; never empty
  std::vector<HTTPRouteFilter> filters;
  std::vector<HTTPBackendRef> refs;
  std::optional<std::chrono::milliseconds> request_timeout;  // 0 turns it off
  std::optional<std::chrono::milliseconds> ref_timeout;      // of one attempt
};

struct HTTPRoute {
  std::vector<ParentRef> parents;
  std::vector<std::string> hostnames;  // empty: any
  std::vector<HTTPRouteRule> rules;

  // Errors: kInvalid with the field.
  static Result<HTTPRoute> from(const Object& object);
};

Kind http_route_kind();

}  // namespace tidegate::resource
