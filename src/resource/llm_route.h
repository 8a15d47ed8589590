// LLMRoute: which pool or external provider answers for a host. The LLM analogue of Istio's VirtualService.
//
// Rules are tried in order, the first that matches wins; a rule without matches takes everything. v1 and
// v1beta1 share one schema. A path, a method or a timeout cannot be given here; use an HTTPRoute for those.
//
// Thread: immutable once read; any thread.
// Source: Alibaba Cloud Service Mesh, "LLMRoute CRD".

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "resource/kind.h"
#include "resource/object.h"
#include "resource/selector.h"
#include "resource/string_match.h"

namespace tidegate::resource {

struct LLMRouteMatch {
  std::map<std::string, StringMatch> headers;  // names in lower case; all must match
  Labels source_labels;
  std::vector<std::string> gateways;
};

struct LLMBackendRef {
  std::string provider_host;  // an external provider, or else:
  std::string group;
  std::string kind;
  std::string name;
  std::string namespace_;  // empty: the route's own
  std::uint32_t weight = 1;
};

struct LLMRouteRule {
  std::string name;
  std::vector<LLMRouteMatch> matches;  // one is enough; empty: every request
  std::vector<LLMBackendRef> refs;
};

struct LLMRoute {
  std::string host;                   // "test.com", "*.test.com" or "*", in lower case
  std::vector<std::string> gateways;  // "name" or "namespace/name"; empty: every gateway
  std::vector<LLMRouteRule> rules;

  // Errors: kInvalid with the field.
  static Result<LLMRoute> from(const Object& object);
};

Kind llm_route_kind();

}  // namespace tidegate::resource
