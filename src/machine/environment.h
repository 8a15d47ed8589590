// A container's environment and command line: references resolved, $(NAME) expanded.
//
// Pure. ConfigMaps and Secrets come in as a lookup, so that this code needs no client.
//
// Thread: any. Source: Kubernetes, "Define Environment Variables for a Container", "Expose Pod Information",
// and the expansion rules of third_party/forked/golang/expansion ($(VAR), $$ for a dollar sign, unknown names
// stay as written).

#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "machine/pod_plan.h"

namespace tidegate::machine {

using Variables = std::map<std::string, std::string>;

// The data of a ConfigMap or (decoded) Secret in the pod's namespace; empty if there is no such object.
using DataLookup = std::function<std::optional<Variables>(bool secret, const std::string& name)>;

// What fieldRef may ask for and the object cannot know.
struct PodPlace {
  std::string pod_ip;
  std::string host_ip;
  std::string node;
};

// `$(NAME)` -> value, `$$` -> `$`.
std::string expand(std::string_view text, const Variables& variables);

// In order: envFrom, then env, each value seeing those before it.
// Errors: kNotFound naming the ConfigMap, Secret or key that is missing; the pod waits
// (CreateContainerConfigError).
Result<Variables> resolve_environment(const PodPlan& pod, const resource::Container& container,
                                      const PodPlace& place, const DataLookup& lookup);

}  // namespace tidegate::machine
