#include <algorithm>
#include <string>
#include <tuple>

#include "base/ascii.h"
#include "gateway/routes.h"
#include "resource/http_route.h"
#include "resource/inference_pool.h"

namespace tidegate::gateway {
namespace {

using resource::kGatewayApiGroup;

route::PathMatch path_of(const resource::PathMatch& path) {
  switch (path.type) {
    case resource::MatchType::kExact:
      return {route::PathMatch::kExact, path.value};
    case resource::MatchType::kRegex:
      return {route::PathMatch::kRegex, path.value};
    case resource::MatchType::kPrefix:
    case resource::MatchType::kPresent:
      return {route::PathMatch::kPrefix, path.value};
  }
  return {};
}

route::PathEdit path_edit_of(const resource::PathModifier& path) {
  switch (path.type) {
    case resource::PathModifier::Type::kReplaceFull:
      return {route::PathEdit::kFull, path.value};
    case resource::PathModifier::Type::kReplacePrefix:
      return {route::PathEdit::kPrefix, path.value};
    case resource::PathModifier::Type::kNone:
      break;
  }
  return {};
}

std::optional<Duration> duration_of(const std::optional<std::chrono::milliseconds>& given) {
  return given ? std::optional<Duration>(*given) : std::nullopt;
}

class HttpRouteReader {
 public:
  HttpRouteReader(const ObjectPtr& object, const Inputs& inputs, const Grants& grants, PoolSet& pools,
                  RouteSet& set)
      : object_(object), inputs_(inputs), grants_(grants), pools_(pools), set_(set) {}

  Finding read(ListenerSet& listeners) {
    Finding finding;
    finding.object = object_;
    auto spec = resource::HTTPRoute::from(*object_);
    if (!spec) return finding;  // no parent is known whose view this would be
    spec_ = *std::move(spec);
    for (std::size_t i = 0; i < spec_.parents.size(); ++i) {
      const resource::ParentRef& parent = spec_.parents[i];
      if (parent.group != kGatewayApiGroup || parent.kind != "Gateway") continue;
      if (!is_ours(parent, listeners)) continue;
      finding.parents.push_back({parent_of(parent), conditions_of(parent, listeners)});
    }
    return finding;
  }

 private:
  const std::string& namespace_of(const resource::ParentRef& parent) const {
    return parent.namespace_.empty() ? object_->namespace_() : parent.namespace_;
  }

  // A Gateway that does not exist might become another controller's. Where we answer for every class it is
  // ours to say so.
  bool is_ours(const resource::ParentRef& parent, const ListenerSet& listeners) const {
    return inputs_.gateway_class.empty() ||
           listeners.gateways_known.contains(namespace_of(parent) + "/" + parent.name);
  }

  ParentRef parent_of(const resource::ParentRef& parent) const {
    return {parent.group, parent.kind,         namespace_of(parent),
            parent.name,  parent.section_name, parent.port.value_or(0)};
  }

  std::vector<Condition> conditions_of(const resource::ParentRef& parent, ListenerSet& listeners) {
    refs_ = {};
    unsupported_.clear();
    Condition accepted = attach(parent, listeners);
    if (accepted.status == Truth::kTrue && !unsupported_.empty()) {
      accepted = {"Accepted", Truth::kFalse, "UnsupportedValue", unsupported_};
    }
    return {accepted, refs_.condition()};
  }

  Condition attach(const resource::ParentRef& parent, ListenerSet& listeners) {
    bool named = false;
    bool allowed = false;
    bool attached = false;
    std::map<std::uint16_t, route::Route> made;
    for (const AttachPoint& point : listeners.points) {
      if (point.istio || point.namespace_ != namespace_of(parent) || point.gateway != parent.name) continue;
      if (!parent.section_name.empty() && parent.section_name != point.section) continue;
      if (parent.port && *parent.port != point.port) continue;
      named = true;
      if (!may_attach(point)) continue;
      allowed = true;
      const std::vector<std::string> hosts = hosts_on(point);
      if (hosts.empty()) continue;
      attached = true;
      ++listeners.findings[point.finding].listeners[point.listener_finding].attached_routes;
      if (!point.served) continue;
      route::Route& route = made[point.port];
      for (const std::string& host : hosts) {
        if (std::find(route.hosts.begin(), route.hosts.end(), host) == route.hosts.end())
          route.hosts.push_back(host);
      }
      if (!route.rules.empty()) continue;
      route.family = route::Family::kHttpRoute;
      route.name = object_->namespace_() + "/" + object_->name();
      route.created = object_->metadata().creation_timestamp;
      route.rules = rules_on(point);
    }
    for (auto& [port, route] : made) set_.by_port[port].push_back(std::move(route));
    if (attached) return {"Accepted", Truth::kTrue, "Accepted", ""};
    if (allowed)
      return {"Accepted", Truth::kFalse, "NoMatchingListenerHostname",
              "spec.hostnames and the listener's hostname have nothing in common"};
    if (named)
      return {"Accepted", Truth::kFalse, "NotAllowedByListeners",
              "The listener's allowedRoutes do not let this route in"};
    return {"Accepted", Truth::kFalse, "NoMatchingParent",
            "Gateway " + namespace_of(parent) + "/" + parent.name +
                " has no listener that is served under this name and port"};
  }

  bool may_attach(const AttachPoint& point) const {
    if (!point.takes_http_routes) return false;
    switch (point.from) {
      case resource::RoutesFrom::kSame:
        return object_->namespace_() == point.namespace_;
      case resource::RoutesFrom::kAll:
        return true;
      case resource::RoutesFrom::kNone:
        return false;
      case resource::RoutesFrom::kSelector:
        return std::any_of(inputs_.namespaces.begin(), inputs_.namespaces.end(),
                           [&](const ObjectPtr& candidate) {
                             return candidate->name() == object_->namespace_() &&
                                    point.from_selector.matches(candidate->metadata().labels);
                           });
    }
    return false;
  }

  std::vector<std::string> hosts_on(const AttachPoint& point) const {
    const std::vector<std::string> any = {""};
    std::vector<std::string> hosts;
    for (const std::string& hostname : spec_.hostnames.empty() ? any : spec_.hostnames) {
      if (const auto host = common_host(point.host, ascii::to_lower(hostname)))
        hosts.push_back(host->empty() ? "*" : *host);
    }
    return hosts;
  }

  std::vector<route::Rule> rules_on(const AttachPoint& point) {
    std::vector<route::Rule> rules;
    for (std::size_t i = 0; i < spec_.rules.size(); ++i) {
      const resource::HTTPRouteRule& from = spec_.rules[i];
      const std::string field = "spec.rules[" + std::to_string(i) + "]";
      route::Rule rule;
      rule.name = from.name;
      rule.request_timeout = duration_of(from.request_timeout);
      rule.attempt_timeout = duration_of(from.ref_timeout);
      for (const resource::HTTPRouteMatch& match : from.matches) {
        if (auto converted = convert(match, field)) rule.matches.push_back(*std::move(converted));
      }
      if (rule.matches.empty() && !from.matches.empty()) continue;
      const auto filters = filters_of(from.filters, field + ".filters", point);
      rule.filters = filters.value_or(nullptr);
      for (std::size_t r = 0; r < from.refs.size(); ++r) {
        const std::string at = field + ".backendRefs[" + std::to_string(r) + "]";
        const std::uint32_t target = resolve(from.refs[r].to, at, point);
        const auto own = filters_of(from.refs[r].filters, at + ".filters", point);
        const bool broken = !filters || !own;
        rule.destinations.push_back({broken ? route::Destination::kBroken : target, from.refs[r].weight,
                                     broken ? nullptr : route::joined(rule.filters, *own),
                                     from.refs[r].to.kind == "Service"});
      }
      rules.push_back(std::move(rule));
    }
    return rules;
  }

  // Nothing if one of them cannot be carried out: then the requests must fail, as skipping it would serve
  // what was never asked for.
  std::optional<route::FiltersPtr> filters_of(const std::vector<resource::HTTPRouteFilter>& list,
                                              const std::string& field, const AttachPoint& point) {
    if (list.empty()) return route::FiltersPtr();
    auto filters = std::make_shared<route::Filters>();
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::string at = field + "[" + std::to_string(i) + "]";
      if (!take_filter(list[i], at, point, *filters)) return std::nullopt;
    }
    return filters;
  }

  bool take_filter(const resource::HTTPRouteFilter& filter, const std::string& field,
                   const AttachPoint& point, route::Filters& into) {
    using resource::FilterType;
    switch (filter.type) {
      case FilterType::kRequestHeaderModifier:
        return take_headers(filter.headers, field, into.request);
      case FilterType::kResponseHeaderModifier:
        return take_headers(filter.headers, field, into.response);
      case FilterType::kRequestRedirect: {
        const resource::Redirect& from = filter.redirect;
        into.redirect = route::Redirect{from.scheme, from.hostname, path_edit_of(from.path),
                                        from.port.value_or(0), from.status};
        return true;
      }
      case FilterType::kUrlRewrite:
        into.rewrite = route::Rewrite{filter.rewrite.hostname, path_edit_of(filter.rewrite.path)};
        return true;
      case FilterType::kRequestMirror: {
        // A mirror that leads nowhere costs only itself.
        const std::uint32_t target = resolve(filter.mirror.to, field + ".requestMirror.backendRef", point);
        if (target != route::Destination::kBroken)
          into.mirrors.push_back({target, filter.mirror.numerator, filter.mirror.denominator});
        return true;
      }
      case FilterType::kCors:
      case FilterType::kExtensionRef:
        break;
    }
    unsupported_ = field + ".type: " + (filter.type == FilterType::kCors ? "CORS" : "ExtensionRef") +
                   " is not carried out here; requests that match get 500; remove the filter";
    return false;
  }

  bool take_headers(const resource::HeaderModifier& from, const std::string& field,
                    route::HeaderEdits& into) {
    const auto fine = [&](const std::string& name) {
      if (!route::frames_messages(name)) return true;
      unsupported_ = field + " changes " + name +
                     ", which belongs to one connection and is written by the gateway; remove it";
      return false;
    };
    for (const auto& [name, value] : from.set) {
      if (!fine(name)) return false;
      into.set(name, value);
    }
    for (const auto& [name, value] : from.add) {
      if (!fine(name)) return false;
      into.add(name, value);
    }
    for (const std::string& name : from.remove) {
      if (!fine(name)) return false;
      into.remove(name);
    }
    return true;
  }

  std::optional<route::Match> convert(const resource::HTTPRouteMatch& match, const std::string& field) {
    route::Match result;
    result.path = path_of(match.path);
    result.method = match.method;
    const auto fine = [&](bool is_regex, const std::string& expression, const std::string& what) {
      if (!is_regex) return true;
      auto compiled = route::compiles(expression);
      if (!compiled) unsupported_ = field + " " + what + ": the expression " + compiled.error().message;
      return compiled.has_value();
    };
    if (!fine(match.path.type == resource::MatchType::kRegex, match.path.value, "path")) return std::nullopt;
    for (const auto* list : {&match.headers, &match.query}) {
      for (const resource::NamedMatch& named : *list) {
        if (!fine(named.match.type == resource::MatchType::kRegex, named.match.value, named.name))
          return std::nullopt;
        (list == &match.headers ? result.headers : result.query)
            .push_back({named.name, match_of(named.match)});
      }
    }
    return result;
  }

  std::uint32_t resolve(const resource::ObjectRef& ref, const std::string& field, const AttachPoint& point) {
    const std::string namespace_ = ref.namespace_.empty() ? object_->namespace_() : ref.namespace_;
    const bool is_pool = ref.kind == "InferencePool" && (ref.group == resource::kInferenceGroup ||
                                                         ref.group == resource::kInferenceGroupOld);
    const bool is_service = ref.kind == "Service" && (ref.group.empty() || ref.group == "core");
    if (!is_pool && !is_service) {
      refs_.fail("InvalidKind", field + " names kind " + ref.kind + " of group \"" + ref.group +
                                    "\"; use a Service or an InferencePool");
      return route::Destination::kBroken;
    }
    const Grants::From from{kGatewayApiGroup, "HTTPRoute", object_->namespace_()};
    if (!grants_.allows(from, {ref.group, ref.kind, namespace_, ref.name})) {
      refs_.fail("RefNotPermitted", field + " points into namespace " + namespace_ +
                                        ", where no ReferenceGrant lets HTTPRoutes of " +
                                        object_->namespace_() + " do that; create one there");
      return route::Destination::kBroken;
    }
    if (is_pool) return resolve_pool(ref, namespace_, field, point);
    const std::uint32_t service = resolve_service(ref, namespace_, field);
    if (service != route::Destination::kBroken) add_parent(set_, service, point);
    return service;
  }

  std::uint32_t resolve_pool(const resource::ObjectRef& ref, const std::string& namespace_,
                             const std::string& field, const AttachPoint& point) {
    const std::uint32_t pool = pools_.find(ref.group, namespace_, ref.name);
    if (pool == PoolSet::kNone) {
      refs_.fail("BackendNotFound", field + " names InferencePool " + namespace_ + "/" + ref.name + " of " +
                                        ref.group + ", which does not exist; create it or correct the name");
      return route::Destination::kBroken;
    }
    add_parent(set_, pool, point);
    return pool;
  }

  std::uint32_t resolve_service(const resource::ObjectRef& ref, const std::string& namespace_,
                                const std::string& field) {
    if (!ref.port) {
      refs_.fail("UnsupportedValue", field + ".port is missing; a reference to a Service needs it");
      return route::Destination::kBroken;
    }
    PoolSet::ServiceError error;
    const std::uint32_t pool = pools_.service(namespace_, ref.name, *ref.port, error);
    const std::string name = "Service " + namespace_ + "/" + ref.name;
    switch (error) {
      case PoolSet::ServiceError::kNone:
        return pool;
      case PoolSet::ServiceError::kNotFound:
        refs_.fail("BackendNotFound",
                   field + " names " + name + ", which does not exist; create it or correct the name");
        break;
      case PoolSet::ServiceError::kNoSuchPort:
        refs_.fail("BackendNotFound", field + ".port: " + name + " has no port " + std::to_string(*ref.port));
        break;
      case PoolSet::ServiceError::kExternalName:
        refs_.fail("UnsupportedProtocol",
                   field + " names " + name +
                       " of type ExternalName, which is not followed; use a Service with pods");
        break;
    }
    return route::Destination::kBroken;
  }

  const ObjectPtr& object_;
  const Inputs& inputs_;
  const Grants& grants_;
  PoolSet& pools_;
  RouteSet& set_;
  resource::HTTPRoute spec_;
  RefCheck refs_;
  std::string unsupported_;
};

}  // namespace

void read_http_routes(const Inputs& inputs, const Grants& grants, ListenerSet& listeners, PoolSet& pools,
                      RouteSet& set) {
  for (const ObjectPtr& object : inputs.http_routes) {
    set.findings.push_back(HttpRouteReader(object, inputs, grants, pools, set).read(listeners));
  }
}

}  // namespace tidegate::gateway
