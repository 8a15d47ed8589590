#include "gateway/attach.h"

#include <algorithm>
#include <tuple>

#include "base/ascii.h"

namespace tidegate::gateway {
namespace {

using resource::ListenerProtocol;

bool is_plain_http(ListenerProtocol protocol) {
  return protocol == ListenerProtocol::kHttp || protocol == ListenerProtocol::kHttp2 ||
         protocol == ListenerProtocol::kGrpc;
}

std::string name_of(const ObjectPtr& object) { return object->namespace_() + "/" + object->name(); }

const PortProblem* problem_of(const Inputs& inputs, std::uint16_t port) {
  for (const PortProblem& problem : inputs.port_problems) {
    if (problem.port == port) return &problem;
  }
  return nullptr;
}

// "*" and nothing are both any host.
std::string plain_host(std::string_view host) { return host == "*" ? std::string() : ascii::to_lower(host); }

void read_istio(const ObjectPtr& object, const Inputs& inputs, ListenerSet& set) {
  Finding finding;
  finding.object = object;
  const std::size_t index = set.findings.size();
  auto gateway = resource::IstioGateway::from(*object);
  if (!gateway) {
    finding.conditions = {{"Accepted", Truth::kFalse, "Invalid", describe(gateway.error())}};
    set.findings.push_back(std::move(finding));
    return;
  }
  std::string unsupported;
  std::string problems;
  for (const resource::IstioServer& server : gateway->servers) {
    if (!is_plain_http(server.protocol) || server.tls != resource::TlsMode::kNone) {
      unsupported += (unsupported.empty() ? "" : ", ") + std::to_string(server.port);
      continue;
    }
    PortPlan& plan = set.ports[server.port];
    plan.gateways.insert(name_of(object));
    if (!server.bind.empty()) plan.bind.insert(server.bind);
    if (const PortProblem* problem = problem_of(inputs, server.port))
      problems += (problems.empty() ? "" : "; ") + problem->message;
    for (const std::string& text : server.hosts) {
      AttachPoint point;
      point.port = server.port;
      point.istio = true;
      point.namespace_ = object->namespace_();
      point.gateway = object->name();
      const std::size_t slash = text.find('/');
      if (slash != std::string::npos) {
        const std::string namespace_ = text.substr(0, slash);
        if (namespace_ == ".") point.routes_namespace = object->namespace_();
        if (namespace_ != "." && namespace_ != "*") point.routes_namespace = namespace_;
      }
      point.host = plain_host(slash == std::string::npos ? text : text.substr(slash + 1));
      point.finding = index;
      set.points.push_back(std::move(point));
    }
  }
  if (unsupported.empty()) {
    finding.conditions.push_back({"Accepted", Truth::kTrue, "Accepted", "Every server is served"});
  } else {
    finding.conditions.push_back({"Accepted", Truth::kFalse, "UnsupportedProtocol",
                                  "The servers on these ports are left out: " + unsupported +
                                      "; only HTTP, HTTP2 and GRPC without tls are served"});
  }
  if (problems.empty()) {
    finding.conditions.push_back({"Programmed", Truth::kTrue, "Programmed", "The ports are open"});
  } else {
    finding.conditions.push_back({"Programmed", Truth::kFalse, "PortUnavailable", problems});
  }
  set.findings.push_back(std::move(finding));
}

// What is wrong with a listener of a Gateway: type, reason and message of the condition that is false.
std::optional<Condition> refusal_of(const resource::GatewayListener& listener,
                                    const resource::Gateway& gateway) {
  if (!is_plain_http(listener.protocol)) {
    return Condition{"Accepted", Truth::kFalse, "UnsupportedProtocol",
                     "Only protocol HTTP is served; TLS is not terminated here yet"};
  }
  // Equal port, protocol and hostname cannot occur: such a Gateway is refused when it is written.
  const bool mixed = std::any_of(gateway.listeners.begin(), gateway.listeners.end(), [&](const auto& other) {
    return other.port == listener.port && is_plain_http(other.protocol) != is_plain_http(listener.protocol);
  });
  if (mixed) {
    return Condition{
        "Conflicted", Truth::kTrue, "ProtocolConflict",
        "Another listener of this Gateway has the same port with another protocol; use another port"};
  }
  return std::nullopt;
}

bool takes_http_routes(const resource::GatewayListener& listener) {
  return listener.route_kinds.empty() || std::find(listener.route_kinds.begin(), listener.route_kinds.end(),
                                                   "HTTPRoute") != listener.route_kinds.end();
}

ListenerFinding listener_finding(const resource::GatewayListener& listener,
                                 const std::optional<Condition>& refusal, const PortProblem* problem) {
  ListenerFinding finding;
  finding.name = listener.name;
  if (takes_http_routes(listener)) finding.supported_kinds = {"HTTPRoute"};
  const bool others = std::any_of(listener.route_kinds.begin(), listener.route_kinds.end(),
                                  [](const std::string& kind) { return kind != "HTTPRoute"; });
  const bool conflicted = refusal && refusal->type == "Conflicted";
  if (refusal && !conflicted) {
    finding.conditions.push_back(*refusal);
  } else if (problem != nullptr) {
    finding.conditions.push_back({"Accepted", Truth::kFalse, "PortUnavailable", problem->message});
  } else {
    finding.conditions.push_back({"Accepted", Truth::kTrue, "Accepted", ""});
  }
  if (refusal || problem != nullptr) {
    finding.conditions.push_back(
        {"Programmed", Truth::kFalse, "Invalid", refusal ? refusal->message : problem->message});
  } else {
    finding.conditions.push_back({"Programmed", Truth::kTrue, "Programmed", ""});
  }
  if (others) {
    finding.conditions.push_back(
        {"ResolvedRefs", Truth::kFalse, "InvalidRouteKinds", "Only HTTPRoute may attach"});
  } else {
    finding.conditions.push_back({"ResolvedRefs", Truth::kTrue, "ResolvedRefs", ""});
  }
  if (conflicted) {
    finding.conditions.push_back(*refusal);
  } else {
    finding.conditions.push_back({"Conflicted", Truth::kFalse, "NoConflicts", ""});
  }
  return finding;
}

void read_gateway(const ObjectPtr& object, const Inputs& inputs, ListenerSet& set) {
  auto gateway = resource::Gateway::from(*object);
  Finding finding;
  finding.object = object;
  if (!gateway) {
    finding.conditions = {{"Accepted", Truth::kFalse, "Invalid", describe(gateway.error())},
                          {"Programmed", Truth::kFalse, "Invalid", "The Gateway cannot be read"}};
    set.findings.push_back(std::move(finding));
    return;
  }
  if (!inputs.gateway_class.empty() && gateway->class_name != inputs.gateway_class) return;
  set.gateways_known.insert(name_of(object));
  const std::size_t index = set.findings.size();
  std::size_t served = 0;
  std::string problems;
  for (const resource::GatewayListener& listener : gateway->listeners) {
    const auto refusal = refusal_of(listener, *gateway);
    const PortProblem* problem = refusal ? nullptr : problem_of(inputs, listener.port);
    finding.listeners.push_back(listener_finding(listener, refusal, problem));
    if (problem != nullptr) problems += (problems.empty() ? "" : "; ") + problem->message;
    if (refusal) continue;
    ++served;
    PortPlan& plan = set.ports[listener.port];
    plan.gateways.insert(name_of(object));
    plan.bind.insert(gateway->addresses.begin(), gateway->addresses.end());
    AttachPoint point;
    point.port = listener.port;
    point.namespace_ = object->namespace_();
    point.gateway = object->name();
    point.section = listener.name;
    point.host = plain_host(listener.hostname);
    point.from = listener.routes_from;
    point.from_selector = listener.namespaces;
    point.takes_http_routes = takes_http_routes(listener);
    point.finding = index;
    point.listener_finding = finding.listeners.size() - 1;
    set.points.push_back(std::move(point));
  }
  const bool all = served == gateway->listeners.size();
  finding.conditions.push_back({"Accepted", served > 0 ? Truth::kTrue : Truth::kFalse,
                                all ? "Accepted" : "ListenersNotValid",
                                all ? "" : "Some listeners are not served; their own conditions say why"});
  if (served == 0) {
    finding.conditions.push_back({"Programmed", Truth::kFalse, "Invalid", "No listener is served"});
  } else if (!problems.empty()) {
    finding.conditions.push_back({"Programmed", Truth::kFalse, "AddressNotUsable", problems});
  } else {
    finding.conditions.push_back({"Programmed", Truth::kTrue, "Programmed", ""});
  }
  set.findings.push_back(std::move(finding));
}

}  // namespace

ListenerSet read_listeners(const Inputs& inputs) {
  ListenerSet set;
  for (const ObjectPtr& object : inputs.istio_gateways) read_istio(object, inputs, set);
  for (const ObjectPtr& object : inputs.gateways) read_gateway(object, inputs, set);
  return set;
}

std::optional<std::string> common_host(std::string_view a, std::string_view b) {
  if (a == "*") a = {};
  if (b == "*") b = {};
  if (a.empty() || a == b) return std::string(b);
  if (b.empty()) return std::string(a);
  // "*.test.com" covers every name that ends in ".test.com", wildcards included.
  const auto covers = [](std::string_view wide, std::string_view narrow) {
    return wide.starts_with("*.") && narrow.size() > wide.size() - 1 && narrow.ends_with(wide.substr(1));
  };
  if (covers(a, b)) return std::string(b);
  if (covers(b, a)) return std::string(a);
  return std::nullopt;
}

}  // namespace tidegate::gateway
