#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "base/ascii.h"
#include "base/log.h"
#include "gateway/routes.h"
#include "resource/ingress.h"

namespace tidegate::gateway {
namespace {

using resource::Ingress;
using resource::IngressPath;

// Where an Ingress leads, before its canary took a share.
struct Place {
  std::string host;
  std::string path;
  bool exact = false;
  auto operator<=>(const Place&) const = default;
};

struct Target {
  std::uint32_t pool = route::Destination::kBroken;
  std::uint32_t canary = route::Destination::kBroken;
  std::uint32_t canary_percent = 0;
};

// A prefix is one of path elements, with or without a slash at its end.
std::string path_of(const IngressPath& path) {
  std::string text = path.path;
  while (path.type != IngressPath::Type::kExact && text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

bool older(const Ingress& a, const Ingress& b) {
  return std::tie(a.metadata.creation_timestamp, a.metadata.namespace_, a.metadata.name) <
         std::tie(b.metadata.creation_timestamp, b.metadata.namespace_, b.metadata.name);
}

class IngressReader {
 public:
  IngressReader(const Inputs& inputs, const Credentials& credentials, PoolSet& pools, RouteSet& set)
      : inputs_(inputs), credentials_(credentials), pools_(pools), set_(set) {}

  // Returns how many Ingresses are ours.
  std::size_t read() {
    std::vector<std::pair<Ingress, Finding*>> ingresses;
    set_.findings.reserve(set_.findings.size() + inputs_.ingresses.size());
    for (const ObjectPtr& object : inputs_.ingresses) {
      auto ingress = Ingress::from(*object);
      if (!ingress || !is_ours(*ingress)) continue;
      Finding& finding = set_.findings.emplace_back();
      finding.object = object;
      finding.addresses = inputs_.ingress_addresses;
      ingresses.emplace_back(*std::move(ingress), &finding);
    }
    // Canaries last: they take a share of what stands there. Of two that claim one place the older has it.
    std::sort(ingresses.begin(), ingresses.end(), [](const auto& a, const auto& b) {
      const bool canary_a = a.first.canary_weight.has_value();
      const bool canary_b = b.first.canary_weight.has_value();
      return canary_a != canary_b ? canary_b : older(a.first, b.first);
    });
    for (const auto& [ingress, finding] : ingresses) {
      take(ingress);
      take_tls(ingress);
    }
    build();
    return ingresses.size();
  }

  // Of spec.tls, the oldest Ingress first.
  std::vector<TlsPart>& tls() { return tls_; }

 private:
  // A Secret that cannot be had leaves its hosts to the other certificates.
  void take_tls(const Ingress& ingress) {
    for (const resource::IngressTls& from : ingress.tls) {
      if (from.secret.empty()) continue;
      Result<net::KeyPair> pair = credentials_.key_pair(ingress.metadata.namespace_, from.secret);
      if (!pair) {
        log::warning("gateway", "an Ingress names a certificate that cannot be served",
                     {{"ingress", ingress.metadata.namespace_ + "/" + ingress.metadata.name},
                      {"why", pair.error().message}});
        continue;
      }
      TlsPart part;
      for (const std::string& host : from.hosts) part.hosts.push_back(ascii::to_lower(host));
      if (part.hosts.empty()) part.hosts.emplace_back();
      part.certificates.push_back(*std::move(pair));
      tls_.push_back(std::move(part));
    }
  }

  bool is_ours(const Ingress& ingress) const {
    return inputs_.gateway_class.empty() || ingress.class_name == inputs_.gateway_class;
  }

  void take(const Ingress& ingress) {
    for (const resource::IngressRule& rule : ingress.rules) {
      for (const IngressPath& path : rule.paths) {
        const Place place{rule.host, path_of(path), path.type == IngressPath::Type::kExact};
        put(ingress, place, path.target);
      }
    }
    if (ingress.default_target) put(ingress, {"", "/", false}, *ingress.default_target);
  }

  void put(const Ingress& ingress, const Place& place, const resource::IngressTarget& to) {
    const std::uint32_t pool = pool_of(ingress.metadata.namespace_, to);
    if (pool != route::Destination::kBroken)
      add_parent(set_, pool,
                 {"networking.k8s.io", "Ingress", ingress.metadata.namespace_, ingress.metadata.name, {}});
    if (!ingress.canary_weight) {
      const bool made = targets_.try_emplace(place, Target{.pool = pool}).second;
      if (made)
        names_[place] = {ingress.metadata.namespace_ + "/" + ingress.metadata.name,
                         ingress.metadata.creation_timestamp};
      return;
    }
    const auto found = targets_.find(place);
    if (found == targets_.end()) return;  // nobody to take a share of
    // As ingress-nginx has it: what cannot be answered by the canary is not sent there.
    if (pool != route::Destination::kBroken && pools_.at(pool).endpoints.empty() && !pools_.at(pool).holds) return;
    found->second.canary = pool;
    found->second.canary_percent = *ingress.canary_weight;
  }

  std::uint32_t pool_of(const std::string& namespace_, const resource::IngressTarget& to) {
    PoolSet::ServiceError error;
    const std::uint16_t port = to.port != 0 ? to.port : named_port(namespace_, to);
    const std::uint32_t pool = pools_.service(namespace_, to.service, port, error);
    return error == PoolSet::ServiceError::kNone ? pool : route::Destination::kBroken;
  }

  std::uint16_t named_port(const std::string& namespace_, const resource::IngressTarget& to) const {
    for (const ObjectPtr& object : inputs_.services) {
      if (object->namespace_() != namespace_ || object->name() != to.service) continue;
      const auto service = resource::Service::from(*object);
      if (!service) return 0;
      for (const resource::ServicePort& port : service->ports) {
        if (port.name == to.port_name) return port.port;
      }
    }
    return 0;
  }

  void build() {
    for (const auto& [place, target] : targets_) {
      route::Route route;
      std::tie(route.name, route.created) = names_[place];
      route.hosts = {place.host.empty() ? "*" : place.host};
      route::Rule rule;
      rule.matches.push_back(
          {.path = {place.exact ? route::PathMatch::kExact : route::PathMatch::kPrefix, place.path},
           .method = {},
           .headers = {},
           .query = {}});
      rule.destinations.push_back({target.pool, 100 - target.canary_percent});
      if (target.canary_percent > 0) rule.destinations.push_back({target.canary, target.canary_percent});
      route.rules.push_back(std::move(rule));
      if (!tls_.empty() && inputs_.ingress_tls_port != 0)
        set_.by_port[inputs_.ingress_tls_port].push_back(route);
      set_.by_port[inputs_.ingress_port].push_back(std::move(route));
    }
  }

  const Inputs& inputs_;
  const Credentials& credentials_;
  PoolSet& pools_;
  RouteSet& set_;
  std::vector<TlsPart> tls_;
  std::map<Place, Target> targets_;
  std::map<Place, std::pair<std::string, std::string>> names_;  // of the Ingress, and when it was made
};

}  // namespace

void read_ingresses(const Inputs& inputs, const Credentials& credentials, ListenerSet& listeners,
                    PoolSet& pools, RouteSet& set) {
  if (inputs.ingress_port == 0 || inputs.ingresses.empty()) return;
  IngressReader reader(inputs, credentials, pools, set);
  if (reader.read() == 0) return;
  // Bound wherever the program listens by default, unless a Gateway on the same port says otherwise.
  listeners.ports[inputs.ingress_port];
  if (reader.tls().empty() || inputs.ingress_tls_port == 0) return;
  PortPlan& secure = listeners.ports[inputs.ingress_tls_port];
  if (!secure.gateways.empty() && !secure.secure) return;  // a Gateway has it in plain text
  secure.secure = true;
  // Clients that name nobody, or a host without a certificate, are shown the first.
  TlsPart any = reader.tls().front();
  any.hosts = {""};
  secure.tls.insert(secure.tls.end(), reader.tls().begin(), reader.tls().end());
  secure.tls.push_back(std::move(any));
}

}  // namespace tidegate::gateway
