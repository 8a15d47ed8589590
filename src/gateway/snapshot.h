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
#include <string>
#include <string_view>
#include <vector>

#include "gateway/finding.h"
#include "gateway/rewrite/model_table.h"
#include "gateway/route/table.h"
#include "resource/object.h"

namespace tidegate::gateway {

using resource::ObjectPtr;

struct Endpoint {
  std::string key;      // pool id + " " + address: the same endpoint of the same pool in every snapshot
  std::string address;  // "10.0.0.5:8000", IPv6 in brackets
  std::string pod;      // "namespace/name"; empty if the pool lists addresses
  std::uint32_t max_loras = 0;  // from the pod's --max-loras; 0 if not said
};

struct Pool {
  enum Kind : std::uint8_t {
    kInference,  // an InferencePool: bodies are read, models resolved, engines scraped
    kService,    // a Service named by an HTTPRoute: spread by load, nothing is read or scraped
  };
  Kind kind = kInference;
  std::string id;  // "InferencePool.inference.networking.x-k8s.io default/vllm-llama2-7b-pool"
  std::string namespace_;
  std::string name;
  std::vector<Endpoint> endpoints;  // ready ones, sorted by address
  rewrite::ModelTable models;       // empty for a Service
  std::int64_t created = 0;         // Unix seconds
  bool http2 = false;               // appProtocol kubernetes.io/h2c
  std::string sticky_header;  // annotation tidegate.dev/sticky-header: models are drawn by its value; empty:
                              // per request
};

enum class Protocol : std::uint8_t { kHttp, kHttps };

// One port. Gateways that share a port share its listener; their hosts are in the routes.
struct Listener {
  std::uint16_t port = 0;
  Protocol protocol = Protocol::kHttp;
  std::vector<std::string>
      bind;  // addresses from the manifests; empty: wherever the program listens by default
  std::vector<std::string> gateways;  // "namespace/name", sorted
  route::Table routes;                // Destination::target indexes Snapshot::pools
};

struct Snapshot {
  std::vector<Listener> listeners;  // by port
  std::vector<Pool> pools;          // by id; only those that a route names or that are InferencePools
  bool pools_enabled = true;  // ASMMeshConfig; when false InferencePools have no endpoints and answer 503

  const Pool* pool(std::uint32_t target) const { return target < pools.size() ? &pools[target] : nullptr; }
  const Listener* listener(std::uint16_t port) const;
};

// Everything the gateway reads, in any order.
struct Inputs {
  std::vector<ObjectPtr> istio_gateways;   // networking.istio.io Gateway
  std::vector<ObjectPtr> gateways;         // gateway.networking.k8s.io Gateway
  std::vector<ObjectPtr> llm_routes;       // istio.alibabacloud.com LLMRoute
  std::vector<ObjectPtr> http_routes;      // gateway.networking.k8s.io HTTPRoute
  std::vector<ObjectPtr> inference_pools;  // both groups
  std::vector<ObjectPtr> inference_models;
  std::vector<ObjectPtr> mesh_configs;  // ASMMeshConfig
  std::vector<ObjectPtr> services;
  std::vector<ObjectPtr> pods;
};

struct Compiled {
  std::shared_ptr<const Snapshot> snapshot;
  std::vector<Finding> findings;  // one per object that gets a status, in input order
};

Compiled compile(const Inputs& inputs);

}  // namespace tidegate::gateway
