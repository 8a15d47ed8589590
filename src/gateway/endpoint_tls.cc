#include "gateway/endpoint_tls.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "base/log.h"
#include "resource/backend_tls_policy.h"
#include "resource/core.h"

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
struct Holder {
  const resource::Object* policy = nullptr;
  bool by_port = false;
};
using Taken = std::map<std::uint32_t, Holder>;  // by pool

Condition refused(std::string reason, std::string message) {
  return {"Accepted", Truth::kFalse, std::move(reason), std::move(message)};
}

ParentRef ref_of(const BackendTLSPolicy::Target& target, const std::string& namespace_) {
  return {target.group, target.kind, namespace_, target.name, target.section_name};
}

// What keeps a policy from ever holding for the target: there is no such thing, or nothing that we speak to.
std::optional<Condition> wrong_with(const BackendTLSPolicy::Target& target, const std::string& namespace_,
                                    const Inputs& inputs) {
  const std::string title = target.kind + " " + namespace_ + "/" + target.name;
  const bool is_service = target.group.empty() && target.kind == "Service";
  if (!is_service && target.kind != "InferencePool")
    return refused("Invalid", "spec.targetRefs names " + title + "; name a Service or an InferencePool");
  for (const ObjectPtr& object : is_service ? inputs.services : inputs.inference_pools) {
    if (object->namespace_() != namespace_ || object->name() != target.name) continue;
    if (!is_service) {
      if (object->api_version().starts_with(target.group + "/")) return std::nullopt;
      continue;
    }
    const auto service = resource::Service::from(*object);
    const auto is_port = [&](const resource::ServicePort& port) { return port.name == target.section_name; };
    if (target.section_name.empty() || (service && std::ranges::any_of(service->ports, is_port)))
      return std::nullopt;
    return refused("TargetNotFound", title + " has no port named " + target.section_name);
  }
  return refused("TargetNotFound", "there is no " + title + (is_service ? "" : " of group " + target.group));
}

class PolicyReader {
 public:
  PolicyReader(const ObjectPtr& object, const Inputs& inputs, const Credentials& credentials,
               const RouteSet& routes, PoolSet& pools, Taken& taken)
      : object_(object),
        inputs_(inputs),
        credentials_(credentials),
        routes_(routes),
        pools_(pools),
        taken_(taken) {
    const auto policy = BackendTLSPolicy::from(*object_);
    if (!policy) return;
    targets_ = policy->targets;
    tls_.policy = "BackendTLSPolicy " + object_->namespace_() + "/" + object_->name();
    tls_.server_name = policy->hostname;
    tls_.authorities_pem = authorities(*policy);
    if (tls_.authorities_pem.empty() && !policy->system_authorities) {
      accepted_ = refused("NoValidCACertificate", refs_.message);
    } else if (policy->names_others) {
      accepted_ =
          refused("Invalid", "spec.validation.subjectAltNames is not looked at here; use hostname alone");
    }
    tls_.problem = accepted_.message;
  }

  void apply(bool to_ports) {
    for (const BackendTLSPolicy::Target& target : targets_) {
      if (target.section_name.empty() != to_ports) apply(target);
    }
  }

  Finding finding() {
    Finding finding;
    finding.object = object_;
    finding.parents = std::move(ancestors_);
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
    bool found = false;
    for (std::uint32_t index = 0; index < pools_.size(); ++index) {
      if (!names(target, object_->namespace_(), pools_.at(index))) continue;
      found = true;
      const auto [held, is_free] = taken_.try_emplace(index, Holder{object_.get(), to_port});
      if (is_free) pools_.secure(index, tls_);
      const bool outdone = held->second.by_port && !to_port;
      const bool conflicts = held->second.policy != object_.get() && !outdone;
      tell(index, target,
           conflicts ? refused("Conflicted", "an older policy holds for " + target.kind + " " + target.name +
                                                 "; delete one of them")
                     : accepted_);
    }
    if (found) return;
    tell(ref_of(target, object_->namespace_()),
         wrong_with(target, object_->namespace_(), inputs_).value_or(accepted_));
  }

  // To whoever's routes lead there; to the target itself if none do.
  void tell(std::uint32_t index, const BackendTLSPolicy::Target& target, const Condition& accepted) {
    const auto parents = routes_.pool_parents.find(index);
    if (parents == routes_.pool_parents.end()) return tell(ref_of(target, object_->namespace_()), accepted);
    for (const ParentRef& parent : parents->second) tell(parent, accepted);
  }

  // Of several things to say to one, what is wrong.
  void tell(const ParentRef& ancestor, const Condition& accepted) {
    const auto known = std::ranges::find(ancestors_, ancestor, &ParentFinding::parent);
    if (known != ancestors_.end()) {
      if (accepted.status == Truth::kFalse) known->conditions[0] = accepted;
    } else if (ancestors_.size() < kAncestorsMax) {
      ancestors_.push_back({ancestor, {accepted, refs_}});
    }
  }

  const ObjectPtr& object_;
  const Inputs& inputs_;
  const Credentials& credentials_;
  const RouteSet& routes_;
  PoolSet& pools_;
  Taken& taken_;
  std::vector<BackendTLSPolicy::Target> targets_;
  EndpointTls tls_;
  Condition accepted_{"Accepted", Truth::kTrue, "Accepted", ""};
  Condition refs_{"ResolvedRefs", Truth::kTrue, "ResolvedRefs", ""};
  std::vector<ParentFinding> ancestors_;
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
  for (const ObjectPtr& object : policies)
    readers.emplace_back(object, inputs, credentials, routes, pools, taken);
  for (PolicyReader& reader : readers) reader.apply(true);
  for (PolicyReader& reader : readers) reader.apply(false);
  std::vector<Finding> findings;
  for (PolicyReader& reader : readers) findings.push_back(reader.finding());
  return findings;
}

upstream::SecuredPtr EndpointClients::find(const Pool& pool) {
  if (!pool.tls || !pool.tls->problem.empty()) return nullptr;
  std::weak_ptr<const upstream::Secured>& known =
      known_[pool.tls->policy + "\n" + pool.tls->server_name + "\n" + pool.tls->authorities_pem];
  if (upstream::SecuredPtr secured = known.lock()) return secured;
  auto client = net::TlsClient::make({.authorities_pem = pool.tls->authorities_pem});
  if (!client) {  // the system's authorities; others were tried when the policy was read
    log::error("gateway", "no TLS to endpoints", {{"pool", pool.id}, {"why", client.error().message}});
    return nullptr;
  }
  auto secured = std::make_shared<const upstream::Secured>(
      upstream::Secured{*std::move(client), pool.tls->server_name, pool.tls->policy});
  known = secured;
  std::erase_if(known_, [](const auto& entry) { return entry.second.expired(); });
  return secured;
}

}  // namespace tidegate::gateway
