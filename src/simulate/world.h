// A whole run in virtual time: requests come, the gateway picks, engines serve, and the cluster follows.
//
// Everything happens in order of time, and at equal times engines come before the cluster and the cluster
// before requests, so that equal workloads, specs and seeds give equal runs.
//
// Thread: one thread.

#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "simulate/cluster.h"
#include "simulate/fleet.h"
#include "simulate/happening.h"
#include "simulate/workload.h"

namespace tidegate::simulate {

struct WorldSpec {
  FleetSpec fleet;
  ClusterSpec cluster;
  std::uint64_t seed = 1;
  // How long requests keep away at the beginning, so that the first replicas are there.
  Duration lead = std::chrono::minutes(15);
};

struct Served {
  float ttft_s = -1;  // negative: no answer
  float tpot_s = -1;  // per token after the first; 0 with one token
};

struct Outcome {
  std::vector<Served> served;  // by arrival
  std::uint64_t refused = 0;   // by admission
  std::uint64_t lost = 0;      // their engine went before they ended
  std::uint64_t clipped = 0;   // longer than the model's context, shortened
  std::size_t held_most = 0;   // waiting in the gateway for the first endpoint
  std::int64_t replicas_most = 0;
  Bill bill;
  Duration ended{};  // when the last answer had been given and the workload was over
  Chronicle chronicle;
};

Outcome run(const WorldSpec& spec, const Workload& workload);

}  // namespace tidegate::simulate
