// Pools: what a route's destination stands for. Part of a snapshot, and how InferencePools, InferenceModels,
// Services and pods become one.
//
// Endpoints of a pool are the addresses of its ready pods with each of its ports, and those of the annotation
// tidegate.dev/endpoints. An InferenceModel belongs to the pool its poolRef names; where that names the older
// group (which is its default) and only a pool of the newer group has the name, it belongs to that one.
//
// Of several InferenceModels with one modelName in one pool the oldest wins, of equally old ones the first by
// namespace/name.
//
// Thread: compile functions are pure; a Pool is immutable.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "gateway/dialect/engine.h"
#include "gateway/finding.h"
#include "gateway/guard/ring.h"
#include "gateway/kv_ports.h"
#include "gateway/picker_config.h"
#include "gateway/rewrite/model_table.h"
#include "resource/core.h"
#include "resource/endpoint_slice.h"
#include "resource/object.h"
#include "resource/pod.h"

namespace tidegate::gateway {

using resource::ObjectPtr;

struct Endpoint {
  std::string key;      // pool id + " " + address: the same endpoint of the same pool in every snapshot
  std::string address;  // "10.0.0.5:8000", IPv6 in brackets
  std::string pod;      // "namespace/name"; empty if the pool lists addresses
  std::string name;     // the pod's, with "-rank-1" for the second of several ports; else the address
  std::uint32_t max_loras = 0;                         // from the pod's --max-loras; 0 if not said
  dialect::Engine engine = dialect::Engine::kUnknown;  // from the pool's annotation, else the pod's label
  std::uint16_t port = 0;
  std::size_t rank = 0;  // of the port among those of the pod
};

// What a pool says of how its endpoints are picked; the gateway's own settings hold for the rest.
struct Picking {
  std::optional<PickerConfig> config;
  std::optional<pick::Session> session;
  bool without_prefixes = false;  // routing-strategy: DEFAULT
  std::optional<dialect::Engine> engine;
  bool asks_unlisted = false;  // engines load what they are asked for
  std::optional<KvPorts> kv_events;  // where engines publish them, and where they can be asked again
  std::optional<KvPorts> kv_replay;
  std::string problem;  // an annotation that could not be read, which counts as absent

  pick::Settings over(pick::Settings settings) const;
  // Of that endpoint; 0: none. `settings` are over()'s.
  std::uint16_t kv_events_port(const Endpoint& endpoint, const pick::Settings& settings) const;
  std::uint16_t kv_replay_port(const Endpoint& endpoint) const;
};

// How a BackendTLSPolicy wants a pool's endpoints to be spoken to.
struct EndpointTls {
  std::string server_name;
  std::string authorities_pem;  // empty: the system's
  std::string policy;           // "BackendTLSPolicy default/engines"
  std::string problem;          // why nothing may be sent; empty: it may
};

struct Pool {
  enum Kind : std::uint8_t {
    kInference,  // an InferencePool: bodies are read, models resolved, engines scraped
    kService,    // a Service named by an HTTPRoute or an Ingress: spread by load, nothing is read or scraped
  };
  Kind kind = kInference;
  std::string id;  // "InferencePool.inference.networking.x-k8s.io default/vllm-llama2-7b-pool"
  std::string namespace_;
  std::string name;
  std::vector<Endpoint> endpoints;  // ready ones, by address
  rewrite::ModelTable models;       // empty for a Service
  std::int64_t created = 0;         // Unix seconds
  std::string port_name;            // of a Service's port
  std::optional<EndpointTls> tls;   // none: plain text
  bool http2 = false;               // appProtocol kubernetes.io/h2c
  bool enabled = true;              // false: switched off by ASMMeshConfig; has no endpoints
  Picking picking;
  std::map<std::string, std::int32_t, std::less<>> objectives;  // priorities by the name a header gives
  std::shared_ptr<const guard::Ring> keys;  // one of these must be shown; null: anybody may ask
  bool holds = false;                       // requests wait for a first endpoint (holding.h)
  Duration hold_timeout{0};                 // at most so long; zero: as the configuration says
  std::string sticky_header;  // lower case; models are drawn by a hash of its value; empty: per request
};

// On an InferencePool: the header whose value decides the draw.
inline constexpr std::string_view kStickyHeaderAnnotation = "tidegate.dev/sticky-header";

// An EndpointPickerConfig in YAML.
inline constexpr std::string_view kPickerConfigAnnotation = "tidegate.dev/picker-config";
// header, cookie or id, with =NAME where the usual name will not do.
inline constexpr std::string_view kSessionAnnotation = "tidegate.dev/session-affinity";
// vllm, sglang, llama.cpp or tensorrt-llm; without it a pod's label says it, or what the engine shows.
inline constexpr std::string_view kEngineAnnotation = "tidegate.dev/engine";
inline constexpr std::string_view kEngineLabels[] = {"llm-d.ai/engine-type",
                                                     "inference.networking.k8s.io/engine-type"};
// "ask": an engine may be asked for a model that only others list; "skip", as without it: it is not.
inline constexpr std::string_view kUnlistedAnnotation = "tidegate.dev/unlisted-models";
// Where engines publish KV events, and where they can be asked for them again (kv_ports.h).
inline constexpr std::string_view kKvEventsAnnotation = "tidegate.dev/kv-events-port";
inline constexpr std::string_view kKvReplayAnnotation = "tidegate.dev/kv-events-replay-port";
// On a pod: those of the pool's ports that it serves, "8000,8001".
inline constexpr std::string_view kActivePortsAnnotation = "llm-d.ai/active-ports";

// The pods that may serve: ready, with an address, not leaving.
struct ServingPod {
  resource::Pod pod;
  std::string name;  // "namespace/name"
  std::uint32_t max_loras = 0;
};
std::vector<ServingPod> serving_pods(const std::vector<ObjectPtr>& pods);

struct Inputs;

class PoolSet {
 public:
  PoolSet(const Inputs& inputs, bool enabled);

  static constexpr std::uint32_t kNone = 0xFFFFFFFF;

  // Index of an InferencePool; kNone if there is none.
  std::uint32_t find(std::string_view group, const std::string& namespace_, const std::string& name) const;

  enum class ServiceError { kNone, kNotFound, kNoSuchPort, kExternalName };
  // Index of a Service's port, made at the first call.
  std::uint32_t service(const std::string& namespace_, const std::string& name, std::uint16_t port,
                        ServiceError& error);

  std::uint32_t size() const { return static_cast<std::uint32_t>(pools_.size()); }
  // Its endpoints become other ones than those without TLS, or with other rules.
  void secure(std::uint32_t index, const EndpointTls& tls);
  const Pool& at(std::uint32_t index) const { return pools_[index]; }
  Pool& edit(std::uint32_t index) { return pools_[index]; }
  // The InferencePool object behind an index; null for a Service.
  ObjectPtr object(std::uint32_t index) const { return index < objects_.size() ? objects_[index] : nullptr; }

  std::vector<Pool> take() { return std::move(pools_); }

  // Of objects that could not be read, and of every InferenceModel, in input order.
  std::vector<Finding> unreadable;
  std::vector<Finding> model_findings;

 private:
  std::map<std::string, std::vector<rewrite::ModelEntry>> read_models(const std::vector<ObjectPtr>& models);
  void read_slices(const std::vector<ObjectPtr>& objects);
  // Those of its pods; those of its slices if it selects none that serve.
  void add_pods(Pool& pool, const resource::Service& service, const resource::ServicePort& port) const;
  void add_slices(Pool& pool, const std::string& service, const resource::ServicePort& port) const;
  std::string pool_id_of(const std::string& group, const std::string& namespace_,
                         const std::string& name) const;

  std::vector<ServingPod> pods_;
  std::map<std::string, resource::Service> services_;
  std::multimap<std::string, resource::EndpointSlice> slices_;  // by their Service, "namespace/name"
  std::vector<Pool> pools_;
  std::vector<ObjectPtr> objects_;
  std::map<std::string, std::uint32_t, std::less<>> index_;
};

// "2026-11-21T21:40:18Z" in Unix seconds; 0 if it is no such time.
std::int64_t unix_seconds(std::string_view rfc3339);

// The value of --max-loras among a pod's commands, also inside "sh -c" text; 0 if it is not said.
std::uint32_t max_loras_of(const resource::PodSpec& spec);

}  // namespace tidegate::gateway
