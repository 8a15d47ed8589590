#include "gateway/endpoint_tls.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "base/log.h"
#include "resource/backend_tls_policy.h"

namespace tidegate::gateway {
namespace {

using resource::BackendTLSPolicy;

constexpr std::size_t kAncestorsMax = 16;  // the Gateway API allows no more

bool names(const BackendTLSPolicy::Target& target, const std::string& namespace_, const Pool& pool) {
  if (pool.namespace_ != namespace_ || pool.name != target.name) return false;
  if (pool.kind == Pool::kService) {
    return target.group.empty() && target.kind == "Service" &&
           (target.section_name.empty() || target.section_name == pool.port_name);
  }
  return target.kind == "InferencePool" && pool.id.starts_with("InferencePool." + target.group + " ");
}

// By whom a pool is taken: a policy for its port goes before one for the whole Service.
using Taken = std::map<std::uint32_t, bool>;  // pool -> by its port's name

class PolicyReader {
 public:
  PolicyReader(const ObjectPtr& object, const Credentials& credentials, const RouteSet& routes,
               PoolSet& pools, Taken& taken)
      : object_(object), credentials_(credentials), routes_(routes), pools_(pools), taken_(taken) {
    const auto policy = BackendTLSPolicy::from(*object_);
    if (!policy) return;
    targets_ = policy->targets;
    tls_.server_name = policy->hostname;
    tls_.authorities_pem = authorities(*policy);
    tls_.broken = tls_.authorities_pem.empty() && !policy->system_authorities;
    if (tls_.broken) accepted_ = {"Accepted", Truth::kFalse, "NoValidCACertificate", refs_.message};
    if (policy->names_others && !tls_.broken) {
      accepted_ = {"Accepted", Truth::kFalse, "Invalid",
                   "spec.validation.subjectAltNames is not looked at here; use hostname alone"};
      tls_.broken = true;
    }
  }

  void apply(bool to_ports) {
    for (const BackendTLSPolicy::Target& target : targets_) {
      if (target.section_name.empty() != to_ports) apply(target);
    }
  }

  Finding finding() const {
    Finding finding;
    finding.object = object_;
    for (const ParentRef& parent : parents_) finding.parents.push_back({parent, {accepted_, refs_}});
    return finding;
  }

 private:
  // Those that can be had; one that cannot is believed by nobody and leaves the others as they are.
  std::string authorities(const BackendTLSPolicy& policy) {
    std::string all;
    for (const BackendTLSPolicy::CertificateRef& ref : policy.authorities) {
      const bool known = ref.group.empty() && (ref.kind == "ConfigMap" || ref.kind == "Secret");
      Result<std::string> pem = invalid("", "names kind " + ref.kind + "; use a ConfigMap or a Secret");
      if (known) pem = credentials_.authorities(ref.kind, object_->namespace_(), ref.name);
      if (pem) {
        all += *pem + "\n";
        continue;
      }
      const std::string message = "spec.validation.caCertificateRefs: " + pem.error().message;
      refs_ = {"ResolvedRefs", Truth::kFalse, known ? "InvalidCACertificateRef" : "InvalidKind", message};
    }
    return all;
  }

  void apply(const BackendTLSPolicy::Target& target) {
    const bool to_port = !target.section_name.empty();
    for (std::uint32_t index = 0; index < pools_.size(); ++index) {
      if (!names(target, object_->namespace_(), pools_.at(index))) continue;
      const auto [held, is_free] = taken_.emplace(index, to_port);
      if (!is_free && held->second && !to_port) continue;
      add_parents(index);
      if (!is_free) {
        accepted_ = {"Accepted", Truth::kFalse, "Conflicted",
                     "an older policy holds for " + target.kind + " " + target.name + "; delete one of them"};
        continue;
      }
      pools_.secure(index, tls_);
    }
  }

  void add_parents(std::uint32_t index) {
    const auto parents = routes_.pool_parents.find(index);
    if (parents == routes_.pool_parents.end()) return;
    for (const ParentRef& parent : parents->second) {
      const bool known = std::ranges::find(parents_, parent) != parents_.end();
      if (!known && parents_.size() < kAncestorsMax) parents_.push_back(parent);
    }
  }

  const ObjectPtr& object_;
  const Credentials& credentials_;
  const RouteSet& routes_;
  PoolSet& pools_;
  Taken& taken_;
  std::vector<BackendTLSPolicy::Target> targets_;
  EndpointTls tls_;
  Condition accepted_{"Accepted", Truth::kTrue, "Accepted", ""};
  Condition refs_{"ResolvedRefs", Truth::kTrue, "ResolvedRefs", ""};
  std::vector<ParentRef> parents_;
};

}  // namespace

std::vector<Finding> apply_backend_tls(const Inputs& inputs, const Credentials& credentials,
                                       const RouteSet& routes, PoolSet& pools) {
  std::vector<ObjectPtr> policies = inputs.backend_tls_policies;
  std::ranges::sort(policies, [](const ObjectPtr& a, const ObjectPtr& b) {
    const auto age = [](const ObjectPtr& o) {
      return std::tie(o->metadata().creation_timestamp, o->namespace_(), o->name());
    };
    return age(a) < age(b);
  });
  Taken taken;
  std::vector<PolicyReader> readers;
  readers.reserve(policies.size());
  for (const ObjectPtr& object : policies) readers.emplace_back(object, credentials, routes, pools, taken);
  for (PolicyReader& reader : readers) reader.apply(true);
  for (PolicyReader& reader : readers) reader.apply(false);
  std::vector<Finding> findings;
  for (const PolicyReader& reader : readers) findings.push_back(reader.finding());
  return findings;
}

upstream::SecuredPtr EndpointClients::find(const Pool& pool) {
  if (!pool.tls || pool.tls->broken) return nullptr;
  std::weak_ptr<const upstream::Secured>& known =
      known_[pool.tls->server_name + "\n" + pool.tls->authorities_pem];
  if (upstream::SecuredPtr secured = known.lock()) return secured;
  auto client = net::TlsClient::make({.authorities_pem = pool.tls->authorities_pem});
  if (!client) {  // the system's authorities; others were tried when the policy was read
    log::error("gateway", "no TLS to endpoints", {{"pool", pool.id}, {"why", client.error().message}});
    return nullptr;
  }
  auto secured =
      std::make_shared<const upstream::Secured>(upstream::Secured{*std::move(client), pool.tls->server_name});
  known = secured;
  std::erase_if(known_, [](const auto& entry) { return entry.second.expired(); });
  return secured;
}

}  // namespace tidegate::gateway
