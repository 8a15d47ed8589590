// Gateways of both families as places where routes attach: one per host of an Istio server, one per Gateway
// API listener.
//
// Thread: pure.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/credentials.h"
#include "gateway/finding.h"
#include "gateway/grants.h"
#include "gateway/snapshot.h"
#include "gateway/tls_plan.h"
#include "resource/gateway.h"
#include "resource/http_route.h"

namespace tidegate::gateway {

// Hosts are lower case; "" is any.
struct AttachPoint {
  std::uint16_t port = 0;
  bool istio = false;
  std::string namespace_;  // of the gateway
  std::string gateway;     // its name
  std::string section;     // Gateway API: the listener's name
  std::string host;
  std::string routes_namespace;  // Istio "ns/host": only routes of this namespace; empty: all
  // Gateway API: who may attach.
  resource::RoutesFrom from = resource::RoutesFrom::kAll;
  resource::LabelSelector from_selector;
  bool takes_http_routes = true;
  bool served = true;                   // false: routes attach, and nothing is answered
  std::uint16_t https_redirect_to = 0;  // Istio httpsRedirect: every request is sent to this port; 0: none
  std::size_t finding = 0;              // into ListenerSet::findings
  std::size_t listener_finding = 0;     // into its listeners; Gateway API only
};

// What a port needs to be opened.
struct PortPlan {
  std::set<std::string> bind;
  std::set<std::string> gateways;  // "namespace/name"
  bool secure = false;             // speaks TLS, with these certificates
  std::vector<TlsPart> tls;
};

struct ListenerSet {
  std::vector<AttachPoint> points;
  std::map<std::uint16_t, PortPlan> ports;
  std::vector<Finding> findings;         // Istio gateways, then Gateway API ones, in input order
  std::set<std::string> gateways_known;  // "namespace/name" of Gateway API Gateways that are ours
};

ListenerSet read_listeners(const Inputs& inputs, const Credentials& credentials, const Grants& grants);

// The hosts that both sides allow: none, or the narrower one. "" is any.
std::optional<std::string> common_host(std::string_view a, std::string_view b);

}  // namespace tidegate::gateway
