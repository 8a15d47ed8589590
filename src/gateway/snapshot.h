// API objects compiled into the tables that answer requests, and what there is to say about each object.
//
// compile() looks at everything at once and is pure: equal inputs give an equal snapshot and equal findings.
// Workers hold a shared_ptr<const Snapshot> for as long as a request lasts; a new one never changes an old
// one.
//
// A broken object costs only itself: its route has no rule here, its share is answered with an error, and its
// finding says why. What other objects need goes on.
//
// Live counters do not belong here. An endpoint keeps its identity over snapshots by Endpoint::key.
//
// Thread: compile() runs on one thread at a time; a Snapshot is immutable.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base_models.h"
#include "gateway/finding.h"
#include "gateway/pools.h"
#include "gateway/route/table.h"
#include "gateway/tls_plan.h"
#include "resource/object.h"

namespace tidegate::gateway {

using resource::ObjectPtr;

// One port. Gateways that share a port share its listener; their hosts are in the routes.
struct Listener {
  std::uint16_t port = 0;
  std::vector<std::string>
      bind;  // addresses from the manifests; empty: wherever the program listens by default
  std::vector<std::string> gateways;  // "namespace/name", sorted
  std::optional<TlsPlan> tls;         // none: plain text
  route::Table routes;                // Destination::target indexes Snapshot::pools
};

struct Snapshot {
  std::vector<Listener> listeners;  // by port
  std::vector<Pool> pools;          // InferencePools by id, then Services as routes name them
  BaseModels base_models;
  bool pools_enabled = true;  // ASMMeshConfig; when false InferencePools have no endpoints and answer 503

  const Pool* pool(std::uint32_t target) const { return target < pools.size() ? &pools[target] : nullptr; }
  const Listener* listener(std::uint16_t port) const;
};

// A port that could not be opened. Its listener stays in the snapshot, so that it is tried again.
struct PortProblem {
  std::uint16_t port = 0;
  std::string message;  // "port 8080 is in use by another program; ..."
};

// Everything the gateway reads, each kind in any order.
struct Inputs {
  std::vector<ObjectPtr> istio_gateways;   // networking.istio.io Gateway
  std::vector<ObjectPtr> gateways;         // gateway.networking.k8s.io Gateway
  std::vector<ObjectPtr> llm_routes;       // istio.alibabacloud.com LLMRoute
  std::vector<ObjectPtr> http_routes;      // gateway.networking.k8s.io HTTPRoute
  std::vector<ObjectPtr> inference_pools;  // both groups
  std::vector<ObjectPtr> inference_models;
  std::vector<ObjectPtr> objectives;      // InferenceObjective, both groups
  std::vector<ObjectPtr> model_rewrites;  // InferenceModelRewrite, both groups
  std::vector<ObjectPtr> mesh_configs;    // ASMMeshConfig
  std::vector<ObjectPtr> ingresses;       // networking.k8s.io Ingress
  std::vector<ObjectPtr> services;
  std::vector<ObjectPtr> autoscalers;  // HorizontalPodAutoscaler: whose pods may be at zero
  std::vector<ObjectPtr> deployments;
  std::vector<ObjectPtr> pods;
  std::vector<ObjectPtr> endpoint_slices;
  std::vector<ObjectPtr> namespaces;   // for allowedRoutes by selector
  std::vector<ObjectPtr> secrets;      // certificates
  std::vector<ObjectPtr> config_maps;  // authorities
  std::vector<ObjectPtr> reference_grants;
  std::vector<ObjectPtr> backend_tls_policies;

  // The GatewayClass we answer for; Gateways of other classes are somebody else's. Empty: every class, as at
  // home, where nobody else is.
  std::string gateway_class;
  // Where Ingresses are served, and the addresses written into their status. Port 0: nowhere.
  std::uint16_t ingress_port = 0;
  std::uint16_t ingress_tls_port = 0;
  // Where listeners are bound whose Gateway names no address: for the status.
  std::vector<std::string> default_addresses;
  std::vector<std::string> ingress_addresses;
  std::vector<PortProblem> port_problems;  // as the workers found them
};

struct Compiled {
  std::shared_ptr<const Snapshot> snapshot;
  std::vector<Finding> findings;  // one per object that gets a status, in input order
  std::vector<Remark> remarks;
};

Compiled compile(const Inputs& inputs);

// The InferencePool or Service that a pool was made of; null if it is not among the inputs.
ObjectPtr object_of(const Inputs& inputs, const Pool& pool);

}  // namespace tidegate::gateway
