// NodePool: machines of one kind that can be had, how many, and at what price.
//
//   spec:
//     provider: local            # static: they exist; local: this home boots them; exec: a program of yours;
//                                # externalgrpc: a service that speaks cluster-autoscaler's protocol
//     min: 0
//     max: 5
//     pricePerHour: 12.5         # per machine, in whatever currency all pools use
//     labels: {alibabacloud.com/nodepool-id: gpu-v100-elastic}
//     capacity: {cpu: "8", memory: 32Gi, nvidia.com/gpu: "1"}
//     local: {bootDelay: 2m}
//
// Every machine of a pool becomes a Node with the pool's labels, taints and capacity and a spec.providerID of
// the form <provider>://<pool>/<name>. The label alibabacloud.com/nodepool-id holds the pool's name unless
// `labels` sets it.
//
// Thread: immutable once read; any thread.
// Source: our own kind; words from kubernetes/autoscaler (cluster-autoscaler's flags).

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/quantity.h"
#include "resource/core.h"
#include "resource/kind.h"
#include "resource/object.h"
#include "resource/selector.h"

namespace tidegate::resource {

inline constexpr std::string_view kNodePoolLabel = "alibabacloud.com/nodepool-id";

enum class PoolProvider { kStatic, kLocal, kExec, kExternalGrpc };
std::string_view name_of(PoolProvider provider);  // "static", "local", "exec", "externalgrpc"

struct LocalMachines {
  Duration boot_delay{};
  // Injected failures, for trying out what happens then: of every `fail_every` machines the first
  // `fail_first` do not come.
  std::int64_t fail_first = 0;
  std::int64_t fail_every = 0;  // 0: only the first `fail_first` ever
  std::string fail_reason = "out of stock";
};

struct ExecMachines {
  std::vector<std::string> command;
  Duration timeout = std::chrono::seconds(60);  // of one call
};

// cluster-autoscaler's cloud-config, and which of the service's node groups the pool is.
struct ExternalGrpcMachines {
  std::string address;                         // host:port
  std::string key, cert, cacert;               // paths of PEM files on the autoscaler's machine
  std::string node_group;                      // the pool's name unless set
  Duration timeout = std::chrono::seconds(5);  // of one call
  Duration refresh = std::chrono::seconds(10);
};

struct ScaleUpRules {
  Duration provision_timeout = std::chrono::minutes(15);  // until the Node is Ready
  Duration backoff = std::chrono::minutes(5);             // after a failure; doubles
  Duration backoff_max = std::chrono::minutes(30);
};

struct ScaleDownRules {
  bool enabled = true;
  Duration unneeded_time = std::chrono::minutes(10);
  Duration unready_time = std::chrono::minutes(20);
  Duration delay_after_add = std::chrono::minutes(10);
  double utilization_threshold = 0.5;
  Duration drain_timeout = std::chrono::minutes(10);  // then the machine goes whatever runs on it
};

struct NodePool {
  PoolProvider provider = PoolProvider::kLocal;
  std::int64_t min = 0;
  std::int64_t max = 0;
  double price_per_hour = 0;
  double max_cost_per_hour = 0;  // of the whole pool; 0: no limit
  Labels labels;                 // with kNodePoolLabel
  std::map<std::string, std::string> annotations;
  std::vector<Taint> taints;
  std::map<std::string, Quantity> capacity;  // empty: externalgrpc, as its template says
  LocalMachines local;
  ExecMachines exec;
  ExternalGrpcMachines external_grpc;
  ScaleUpRules scale_up;
  ScaleDownRules scale_down;

  // Errors: kInvalid with the field.
  static Result<NodePool> from(const Object& object);
};

Kind node_pool_kind();

}  // namespace tidegate::resource
