// What the gateway has to say about one object, before it becomes a status document.
//
// Sources: Gateway API and Gateway API Inference Extension status conditions; the reasons are theirs.
// Thread: values.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "resource/object.h"

namespace tidegate::gateway {

enum class Truth : std::uint8_t { kTrue, kFalse, kUnknown };

struct Condition {
  std::string type;  // "Accepted", "ResolvedRefs", "Programmed", "Ready"
  Truth status = Truth::kUnknown;
  std::string reason;   // "BackendNotFound"
  std::string message;  // for people: what is wrong and what would be right
  bool operator==(const Condition&) const = default;
};

// The object whose view of ours this is: a Gateway for routes and pools.
struct ParentRef {
  std::string group;
  std::string kind;
  std::string namespace_;
  std::string name;
  std::string section_name;  // a route's parentRef names one; else empty
  std::uint16_t port = 0;    // likewise
  bool operator==(const ParentRef&) const = default;
};

struct ParentFinding {
  ParentRef parent;
  std::vector<Condition> conditions;
  bool operator==(const ParentFinding&) const = default;
};

struct ListenerFinding {
  std::string name;
  std::uint32_t attached_routes = 0;
  std::vector<std::string> supported_kinds;  // of the Gateway API group
  std::vector<Condition> conditions;
  bool operator==(const ListenerFinding&) const = default;
};

// Something to say that no condition has a place for (remarks.h).
struct Remark {
  resource::ObjectPtr object;
  std::string text;
  bool is_problem = true;  // something counts as not written; else for information
  bool operator==(const Remark&) const = default;
};

struct Finding {
  resource::ObjectPtr object;
  std::vector<Condition> conditions;       // status.conditions
  std::vector<ParentFinding> parents;      // status.parents (v1alpha2 pools: status.parent)
  std::vector<ListenerFinding> listeners;  // Gateway API Gateways
  std::vector<std::string> addresses;      // Ingresses: status.loadBalancer; Gateways: status.addresses
};

}  // namespace tidegate::gateway
