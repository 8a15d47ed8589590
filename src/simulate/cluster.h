// Replicas, pods, nodes and machines in virtual time: what decides is control/autoscale, control/placement,
// control/nodepool and control/workload itself; this room only plays what they act on.
//
// The life of a pod: created -> placed -> running, loads weights -> ready, gets requests -> terminating,
// finishes its streams -> gone. The life of a machine is nodepool's; here it joins after its boot delay.
//
// Controllers see a change at once. What takes time in a real home (watches, API calls) is milliseconds.
//
// Thread: one thread.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "base/random.h"
#include "control/autoscale/capacity.h"
#include "control/autoscale/decide.h"
#include "control/nodepool/decide.h"
#include "control/workload/pods.h"
#include "simulate/fleet.h"
#include "simulate/happening.h"

namespace tidegate::simulate {

struct ClusterSpec {
  resource::HorizontalPodAutoscaler hpa;  // min, max, metrics and behavior; see scaler.h
  autoscale::Rule rule;
  autoscale::Settings autoscale;
  std::vector<nodepool::Pool> pools;
  std::vector<placement::PolicyView> policies;
  std::int64_t start = 0;                         // replicas at the beginning; at least min, at most max
  std::int64_t gpus = 1;                          // of one replica
  Duration load_time = std::chrono::seconds(60);  // from a node to readiness: image, weights
  Duration grace = std::chrono::minutes(10);      // for streams of a pod that goes
};

// What pods and machines have cost up to now.
struct Bill {
  double gpu_hours = 0;      // GPUs that pods held
  double machine_hours = 0;  // of machines with a price, from order to return
  double cost = 0;
};

class Cluster {
 public:
  Cluster(ClusterSpec spec, Fleet& fleet, Chronicle& chronicle, std::uint64_t seed);

  TimePoint next() const { return timeline_.empty() ? TimePoint::max() : timeline_.top().at; }
  // Does what is due at next().
  void advance();

  // The last stream of an endpoint that drains has ended.
  void drained(EndpointId endpoint, TimePoint now);
  // Requests that the gateway holds because there is no endpoint.
  void set_held(std::size_t held) { held_ = held; }

  std::int64_t replicas() const { return replicas_; }
  Bill bill(TimePoint now) const;
  // Requests that were still running when a pod's grace ended.
  std::function<void(EndpointId)> on_killed;

 private:
  enum class Due : std::uint8_t { kAutoscale, kReconcile, kRunning, kReady, kKill };
  struct Entry {
    TimePoint at;
    std::uint64_t order;
    Due due;
    std::uint64_t pod;
    bool operator<(const Entry& other) const { return at != other.at ? at > other.at : order > other.order; }
  };
  struct Pod {
    placement::PodPtr view;
    workload::PodFacts facts;
    std::optional<EndpointId> endpoint;
    TimePoint bound{};
    Duration busy_seen{0};
  };

  void plan(TimePoint at, Due due, std::uint64_t pod = 0);
  void autoscale(TimePoint now);
  autoscale::State observe(TimePoint now);
  autoscale::DemandReading demand(TimePoint now);
  void set_replicas(std::int64_t replicas, TimePoint now);
  void create_pod(TimePoint now);
  void remove_pod(std::uint64_t number, TimePoint now);
  void forget_pod(std::uint64_t number, TimePoint now);
  void reconcile(TimePoint now);
  bool place_pods(TimePoint now);
  bool run_pools(TimePoint now);
  void act(const nodepool::Step& step, TimePoint now);
  void evict(const std::string& uid, TimePoint now);
  void unregister(const std::string& node, TimePoint now);
  void change(Pod& pod, const std::function<void(placement::PodView&)>& how);
  bool note_machines(TimePoint now);

  ClusterSpec spec_;
  Fleet& fleet_;
  Chronicle& chronicle_;
  Random random_;

  std::priority_queue<Entry> timeline_;
  std::uint64_t order_ = 0;
  std::optional<TimePoint> reconcile_at_;

  std::int64_t replicas_ = 0;
  std::uint64_t pods_made_ = 0;
  std::map<std::uint64_t, Pod> pods_;  // by number, in order of creation
  std::map<std::string, std::uint64_t> by_uid_;
  nodepool::State state_;
  autoscale::Memory memory_;
  autoscale::CapacityModel capacity_;
  TimePoint read_{};
  std::size_t held_ = 0;

  struct Owned {
    TimePoint since;
    double price;
  };
  std::map<std::string, Owned> machines_;  // that are paid for
  Bill bill_;                              // of pods and machines that are gone
};

}  // namespace tidegate::simulate
