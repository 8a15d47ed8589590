// TLS to endpoints: BackendTLSPolicies applied to pools, and the clients that speak it.
//
// A policy names a Service (all its ports, or one by name, which goes before) or an InferencePool of its
// namespace; of two that name the same the older holds. Where its authorities cannot be had, nothing is sent
// to the endpoints: plain text would be what nobody asked for. What there is to say about it is told for the
// Gateways and Ingresses whose routes lead there, or for the target itself.
//
// Thread: apply_backend_tls is pure; EndpointClients is the control loop's.

#pragma once

#include <map>
#include <string>
#include <vector>

#include "gateway/routes.h"
#include "gateway/upstream/secured.h"

namespace tidegate::gateway {

// Returns the policies' findings, the oldest policy's first.
std::vector<Finding> apply_backend_tls(const Inputs& inputs, const Credentials& credentials,
                                       const RouteSet& routes, PoolSet& pools);

class EndpointClients {
 public:
  // The same for the same policy, authorities and name, for as long as some endpoint needs it. Null: plain
  // text, or, if the pool asks for TLS, nothing may be sent.
  upstream::SecuredPtr find(const Pool& pool);

 private:
  std::map<std::string, std::weak_ptr<const upstream::Secured>> known_;
};

}  // namespace tidegate::gateway
