#include "simulate/scenario.h"

namespace tidegate::simulate {
namespace {

nodepool::Pool pool(const char* name, const Scenario& scenario) {
  nodepool::Pool pool;
  pool.name = name;
  pool.spec.labels = {{std::string(resource::kNodePoolLabel), name}};
  pool.spec.capacity = {{"cpu", Quantity{64'000}},
                        {"memory", Quantity{256'000'000}},
                        {"nvidia.com/gpu", Quantity{scenario.gpus_per_machine * 1000}},
                        {"pods", Quantity{110'000}}};
  return pool;
}

resource::PolicyUnit unit(const char* name) {
  resource::PolicyUnit unit;
  unit.node_selector = {{std::string(resource::kNodePoolLabel), name}};
  return unit;
}

}  // namespace

WorldSpec Scenario::world() const {
  WorldSpec world;
  world.seed = seed;
  world.fleet.engine = engine;
  ClusterSpec& cluster = world.cluster;
  cluster.hpa = scaler.hpa();
  cluster.rule = scaler.rule();
  cluster.start = start;
  cluster.load_time = load_time;
  world.lead = boot + load_time + std::chrono::minutes(1);

  nodepool::Pool edge = pool(kOwnedPool, *this);
  edge.spec.provider = resource::PoolProvider::kStatic;
  edge.spec.min = edge.spec.max = owned;
  edge.spec.scale_down.enabled = false;
  nodepool::Pool cloud = pool(kRentedPool, *this);
  cloud.spec.provider = resource::PoolProvider::kLocal;
  cloud.spec.max = rented;
  cloud.spec.price_per_hour = price_per_hour;
  cloud.spec.local.boot_delay = boot;
  cluster.pools = {edge, cloud};

  placement::PolicyView policy;
  policy.namespace_ = "default";
  policy.name = "tide";
  policy.spec.selector.match_labels = {{"app", "engine"}};
  policy.spec.units = {unit(kOwnedPool), unit(kRentedPool)};
  policy.spec.units[1].resource = resource::UnitResource::kElastic;
  policy.spec.units[1].waits_for_scaling = true;
  cluster.policies = {policy};
  return world;
}

}  // namespace tidegate::simulate
