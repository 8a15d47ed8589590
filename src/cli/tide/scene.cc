#include "cli/tide/scene.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/quantity.h"
#include "resource/fields.h"
#include "resource/node_pool.h"

namespace tidegate::tide {
namespace {

using resource::Json;
using resource::number;
using resource::text;

double amount(const std::string& quantity) {
  const auto read = Quantity::parse(quantity);
  return read ? static_cast<double>(read->milli) / 1000 : 0;
}

SeenPool pool_of(const Json& json) {
  SeenPool pool;
  pool.name = text(json, "metadata.name");
  pool.rented = text(json, "spec.provider", "local") != "static";
  pool.ready = number(json, "status.ready");
  pool.booting = number(json, "status.booting");
  pool.leaving = number(json, "status.draining");
  pool.max = number(json, "spec.max");
  pool.cost_per_hour = amount(text(json, "status.costPerHour", "0"));
  return pool;
}

SeenPod pod_of(const Json& json, const std::map<std::string, std::string>& pool_of_node) {
  SeenPod pod;
  pod.name = text(json, "metadata.name");
  const std::string node = text(json, "spec.nodeName");
  const auto found = pool_of_node.find(node);
  if (!node.empty()) pod.pool = found == pool_of_node.end() ? node : found->second;
  if (!text(json, "metadata.deletionTimestamp").empty()) {
    pod.state = "Terminating";
  } else if (resource::condition_is_true(json, "Ready")) {
    pod.state = "Ready";
  } else {
    pod.state = node.empty() ? "Pending" : "Starting";
  }
  if (node.empty()) {
    if (const Json* scheduled = resource::condition(json, "PodScheduled"))
      pod.waits = text(*scheduled, "message");
    // Why not, without what preemption would not bring either.
    pod.waits.resize(std::min(pod.waits.size(), pod.waits.find(" preemption:")));
  }
  return pod;
}

void read_autoscaler(const Json& json, Scene& scene) {
  const Json* wanted = resource::find_array(json, "spec.metrics");
  if (wanted == nullptr || wanted->empty()) return;
  scene.metric = text(wanted->front(), "pods.metric.name");
  scene.target = text(wanted->front(), "pods.target.averageValue");
  const Json* current = resource::find_array(json, "status.currentMetrics");
  if (current == nullptr || current->empty()) return;
  const std::string value = text(current->front(), "pods.current.averageValue");
  if (!value.empty()) scene.utilization = fmt::format("{:.0f}", amount(value));
}

// "2 ready, 1 booting of 3"
std::string machines_of(const SeenPool& pool) {
  std::string out;
  const auto add = [&out](std::int64_t count, const char* word) {
    if (count > 0) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count, word);
  };
  add(pool.ready, "ready");
  add(pool.booting, "booting");
  add(pool.leaving, "leaving");
  if (out.empty()) out = "none";
  return pool.rented ? fmt::format("{} (of at most {})", out, pool.max) : out;
}

std::string places(const Scene& scene) {
  std::map<std::string, std::map<std::string, int>> counts;
  for (const SeenPod& pod : scene.pods) ++counts[pod.pool.empty() ? "no machine" : pod.pool][pod.state];
  std::string out;
  for (const auto& [place, states] : counts) {
    std::string inside;
    for (const auto& [state, count] : states)
      inside += fmt::format("{}{} {}", inside.empty() ? "" : ", ", count, state);
    out += fmt::format("{}{}: {}", out.empty() ? "" : "; ", place, inside);
  }
  return out.empty() ? "none" : out;
}

}  // namespace

std::int64_t Scene::pods_in(const char* state) const {
  return std::count_if(pods.begin(), pods.end(), [&](const SeenPod& pod) { return pod.state == state; });
}

std::int64_t Scene::ready_rented() const {
  return std::count_if(pods.begin(), pods.end(), [&](const SeenPod& pod) {
    const auto pool =
        std::find_if(pools.begin(), pools.end(), [&](const SeenPool& each) { return each.name == pod.pool; });
    return pod.state == "Ready" && pool != pools.end() && pool->rented;
  });
}

std::int64_t Scene::rented_machines() const {
  std::int64_t machines = 0;
  for (const SeenPool& pool : pools) {
    if (pool.rented) machines += pool.ready + pool.booting + pool.leaving;
  }
  return machines;
}

double Scene::cost_per_hour() const {
  double cost = 0;
  for (const SeenPool& pool : pools) cost += pool.cost_per_hour;
  return cost;
}

Scene scene_of(const Objects& objects, double at_s, const Traffic& traffic) {
  Scene scene;
  scene.at_s = at_s;
  scene.traffic = traffic;
  for (const resource::ObjectPtr& pool : objects.pools) scene.pools.push_back(pool_of(pool->json()));
  std::map<std::string, std::string> pool_of_node;
  for (const resource::ObjectPtr& node : objects.nodes) {
    const auto& labels = node->metadata().labels;
    const auto found = labels.find(std::string(resource::kNodePoolLabel));
    if (found != labels.end()) pool_of_node[node->name()] = found->second;
  }
  for (const resource::ObjectPtr& pod : objects.pods) scene.pods.push_back(pod_of(pod->json(), pool_of_node));
  if (objects.deployment != nullptr) scene.wanted = number(objects.deployment->json(), "spec.replicas");
  if (objects.autoscaler != nullptr) read_autoscaler(objects.autoscaler->json(), scene);
  return scene;
}

std::string block_text(const Scene& scene, const std::string& title) {
  std::string out = fmt::format("{}  {:5.1f} s\n", title, std::max(scene.at_s, 0.0));
  out += fmt::format("  load      {:.1f} requests/s, {} answered, {} failed\n", scene.traffic.requests_per_s,
                     scene.traffic.answered, scene.traffic.failed);
  out += fmt::format("  scale     {} replicas wanted, {} ready; {} {} of {}\n", scene.wanted,
                     scene.pods_in("Ready"), scene.metric,
                     scene.utilization.empty() ? "<unknown>" : scene.utilization, scene.target);
  for (const SeenPool& pool : scene.pools) {
    out += fmt::format("  pool      {:<18} {:<34} {:.2f} per hour\n", pool.name, machines_of(pool),
                       pool.cost_per_hour);
  }
  for (const SeenPod& pod : scene.pods) {
    out += fmt::format("  pod       {:<44} {:<12} {}\n", pod.name, pod.state, pod.pool);
    if (!pod.waits.empty()) out += fmt::format("            {:.110}\n", pod.waits);
  }
  return out + fmt::format("  cost      {:.2f} per hour\n", scene.cost_per_hour());
}

std::string line_text(const Scene& scene) {
  std::string machines;
  for (const SeenPool& pool : scene.pools) {
    if (!pool.rented) continue;
    machines += fmt::format("; {} machines {}", pool.name, machines_of(pool));
  }
  return fmt::format("{} wanted; pods {}{}; {:.2f} per hour", scene.wanted, places(scene), machines,
                     scene.cost_per_hour());
}

}  // namespace tidegate::tide
