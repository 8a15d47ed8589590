#include <algorithm>
#include <string>
#include <tuple>

#include "gateway/routes.h"
#include "resource/llm_route.h"

namespace tidegate::gateway {
namespace {

// Whether a list of "name" or "namespace/name" names the gateway; an empty list names all.
bool names_gateway(const std::vector<std::string>& names, const std::string& route_namespace,
                   const AttachPoint& point) {
  if (names.empty()) return true;
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    const std::size_t slash = name.find('/');
    if (slash == std::string::npos) return name == point.gateway && route_namespace == point.namespace_;
    return name.substr(0, slash) == point.namespace_ && name.substr(slash + 1) == point.gateway;
  });
}

class LlmRouteReader {
 public:
  LlmRouteReader(const ObjectPtr& object, PoolSet& pools, RouteSet& set)
      : object_(object), pools_(pools), set_(set) {}

  Finding read(ListenerSet& listeners) {
    Finding finding;
    finding.object = object_;
    auto spec = resource::LLMRoute::from(*object_);
    if (!spec) {
      finding.conditions = {{"Accepted", Truth::kFalse, "Invalid", describe(spec.error())}};
      return finding;
    }
    spec_ = *std::move(spec);
    const std::size_t attached = attach(listeners);
    if (attached == 0) {
      finding.conditions.push_back(why_not(listeners));
    } else if (!unsupported_.empty()) {
      finding.conditions.push_back({"Accepted", Truth::kFalse, "UnsupportedValue", unsupported_});
    } else {
      finding.conditions.push_back(
          {"Accepted", Truth::kTrue, "Accepted", "The route is attached to its gateways"});
    }
    finding.conditions.push_back(refs_.condition());
    return finding;
  }

 private:
  std::size_t attach(ListenerSet& listeners) {
    // Routes of one port with equal hosts become one, so that their rules keep one order.
    std::map<std::uint16_t, route::Route> made;
    std::size_t attached = 0;
    for (const AttachPoint& point : listeners.points) {
      if (!names_gateway(spec_.gateways, object_->namespace_(), point)) continue;
      if (!point.istio && !point.served) continue;
      if (!point.routes_namespace.empty() && point.routes_namespace != object_->namespace_()) continue;
      const auto host = common_host(point.host, spec_.host);
      if (!host) continue;
      ++attached;
      if (point.https_redirect_to != 0) continue;
      route::Route& route = made[point.port];
      const std::string shown = host->empty() ? "*" : *host;
      if (std::find(route.hosts.begin(), route.hosts.end(), shown) == route.hosts.end())
        route.hosts.push_back(shown);
      if (!route.rules.empty()) continue;
      route.family = route::Family::kLlmRoute;
      route.name = object_->namespace_() + "/" + object_->name();
      route.created = object_->metadata().creation_timestamp;
      route.rules = rules_on(point);
    }
    for (auto& [port, route] : made) set_.by_port[port].push_back(std::move(route));
    return attached;
  }

  Condition why_not(const ListenerSet& listeners) const {
    const bool any_gateway =
        std::any_of(listeners.points.begin(), listeners.points.end(), [&](const AttachPoint& point) {
          return names_gateway(spec_.gateways, object_->namespace_(), point);
        });
    if (any_gateway) {
      return {"Accepted", Truth::kFalse, "NoMatchingListenerHostname",
              "spec.host " + spec_.host + " is outside the hosts of its gateways"};
    }
    std::string names;
    for (const std::string& name : spec_.gateways) names += (names.empty() ? "" : ", ") + name;
    return {"Accepted", Truth::kFalse, "NoMatchingParent",
            names.empty() ? "There is no Gateway to attach to; create one"
                          : "spec.gateways names no Gateway that is served here: " + names};
  }

  std::vector<route::Rule> rules_on(const AttachPoint& point) {
    std::vector<route::Rule> rules;
    for (std::size_t i = 0; i < spec_.rules.size(); ++i) {
      const resource::LLMRouteRule& from = spec_.rules[i];
      route::Rule rule;
      rule.name = from.name;
      for (const resource::LLMRouteMatch& match : from.matches) {
        if (!names_gateway(match.gateways, object_->namespace_(), point)) continue;
        if (!match.source_labels.empty()) {
          unsupported_ = "spec.rules[" + std::to_string(i) +
                         "] asks for sourceLabels, which a gateway cannot see; use headers";
          continue;
        }
        if (auto converted = convert(match, i)) rule.matches.push_back(*std::move(converted));
      }
      // A rule whose every match was left out matches nothing; an empty list would match everything.
      if (rule.matches.empty() && !from.matches.empty()) continue;
      for (std::size_t r = 0; r < from.refs.size(); ++r) {
        rule.destinations.push_back({resolve(from.refs[r], i, r, point), from.refs[r].weight});
      }
      rules.push_back(std::move(rule));
    }
    return rules;
  }

  std::optional<route::Match> convert(const resource::LLMRouteMatch& match, std::size_t rule) {
    route::Match result;
    for (const auto& [name, text] : match.headers) {
      if (text.type == resource::MatchType::kRegex) {
        if (auto fine = route::compiles(text.value); !fine) {
          unsupported_ = "spec.rules[" + std::to_string(rule) + "] header " + name + ": the expression " +
                         fine.error().message;
          return std::nullopt;
        }
      }
      result.headers.push_back({name, match_of(text)});
    }
    return result;
  }

  std::uint32_t resolve(const resource::LLMBackendRef& ref, std::size_t rule, std::size_t place,
                        const AttachPoint& point) {
    const std::string field =
        "spec.rules[" + std::to_string(rule) + "].backendRefs[" + std::to_string(place) + "]";
    if (!ref.provider_host.empty()) {
      refs_.fail("UnsupportedValue", field + " names the external provider " + ref.provider_host +
                                         "; only InferencePools are served yet");
      return route::Destination::kBroken;
    }
    if (ref.kind != "InferencePool") {
      refs_.fail("InvalidKind", field + " names kind " + ref.kind + "; use InferencePool");
      return route::Destination::kBroken;
    }
    const std::string& namespace_ = ref.namespace_.empty() ? object_->namespace_() : ref.namespace_;
    const std::uint32_t pool = pools_.find(ref.group, namespace_, ref.name);
    if (pool == PoolSet::kNone) {
      refs_.fail("BackendNotFound", field + " names InferencePool." + ref.group + " " + namespace_ + "/" +
                                        ref.name + ", which does not exist; create it or correct the name");
      return route::Destination::kBroken;
    }
    add_parent(set_, pool, point);
    return pool;
  }

  const ObjectPtr& object_;
  PoolSet& pools_;
  RouteSet& set_;
  resource::LLMRoute spec_;
  RefCheck refs_;
  std::string unsupported_;
};

}  // namespace

void read_llm_routes(const Inputs& inputs, ListenerSet& listeners, PoolSet& pools, RouteSet& set) {
  for (const ObjectPtr& object : inputs.llm_routes) {
    set.findings.push_back(LlmRouteReader(object, pools, set).read(listeners));
  }
}

void add_https_redirects(const ListenerSet& listeners, RouteSet& set) {
  for (const AttachPoint& point : listeners.points) {
    if (point.https_redirect_to == 0) continue;
    auto filters = std::make_shared<route::Filters>();
    filters->redirect = route::Redirect{"https", {}, {}, point.https_redirect_to, 301};
    route::Rule rule;
    rule.name = "httpsRedirect";
    rule.filters = std::move(filters);
    route::Route route;
    route.name = point.namespace_ + "/" + point.gateway;
    route.hosts = {point.host.empty() ? "*" : point.host};
    route.rules.push_back(std::move(rule));
    set.by_port[point.port].push_back(std::move(route));
  }
}

route::StringMatch match_of(const resource::StringMatch& match) {
  switch (match.type) {
    case resource::MatchType::kExact:
      return {route::StringMatch::kExact, match.value};
    case resource::MatchType::kPrefix:
      return {route::StringMatch::kPrefix, match.value};
    case resource::MatchType::kRegex:
      return {route::StringMatch::kRegex, match.value};
    case resource::MatchType::kPresent:
      return {route::StringMatch::kPresent, {}};
  }
  return {};
}

void add_parent(RouteSet& set, std::uint32_t pool, const AttachPoint& point) {
  ParentRef parent;
  parent.group = point.istio ? resource::kIstioGroup : resource::kGatewayApiGroup;
  parent.kind = "Gateway";
  parent.namespace_ = point.namespace_;
  parent.name = point.gateway;
  add_parent(set, pool, std::move(parent));
}

void add_parent(RouteSet& set, std::uint32_t pool, ParentRef parent) {
  auto& parents = set.pool_parents[pool];
  if (std::find(parents.begin(), parents.end(), parent) == parents.end())
    parents.push_back(std::move(parent));
}

void RefCheck::fail(std::string reason, std::string message) {
  if (!reason_.empty()) return;
  reason_ = std::move(reason);
  message_ = std::move(message);
}

Condition RefCheck::condition() const {
  if (reason_.empty()) return {"ResolvedRefs", Truth::kTrue, "ResolvedRefs", ""};
  return {"ResolvedRefs", Truth::kFalse, reason_, message_};
}

}  // namespace tidegate::gateway
