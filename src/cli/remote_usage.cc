#include "cli/remote_usage.h"

#include <condition_variable>
#include <nlohmann/json.hpp>

#include "base/quantity.h"
#include "base/rfc3339.h"
#include "gateway/config.h"
#include "resource/fields.h"

namespace tidegate::cli {
namespace {

using resource::Json;
using resource::text;

constexpr Duration kPeriod = std::chrono::seconds(5);

cluster::ContainerUsage container_of(const Json& item) {
  cluster::ContainerUsage container;
  container.name = text(item, "name");
  if (const auto cpu = Quantity::parse(text(item, "usage.cpu", "0")); cpu && cpu->milli > 0)
    container.usage.cpu_cores = static_cast<double>(cpu->milli) / 1000;
  if (const auto memory = Quantity::parse(text(item, "usage.memory", "0")); memory && memory->milli > 0)
    container.usage.memory_bytes = static_cast<std::uint64_t>(memory->whole());
  return container;
}

}  // namespace

std::vector<cluster::PodUsage> read_pod_metrics(const Json& list) {
  std::vector<cluster::PodUsage> pods;
  const Json* items = resource::find_array(list, "items");
  for (std::size_t i = 0; items != nullptr && i < items->size(); ++i) {
    const Json& item = (*items)[i];
    const auto taken_at = parse_rfc3339(text(item, "timestamp"));
    if (!taken_at) continue;
    cluster::PodUsage pod;
    pod.pod = {text(item, "metadata.namespace"), text(item, "metadata.name")};
    pod.taken_at = *taken_at;
    pod.window = gateway::parse_duration(text(item, "window")).value_or(Duration{});
    const Json* containers = resource::find_array(item, "containers");
    for (std::size_t c = 0; containers != nullptr && c < containers->size(); ++c) {
      pod.containers.push_back(container_of((*containers)[c]));
    }
    pods.push_back(std::move(pod));
  }
  return pods;
}

RemoteUsage::RemoteUsage(Server& server) {
  thread_ = std::jthread([this, &server](std::stop_token stop) {
    std::mutex idle;
    std::condition_variable_any wake;
    while (!stop.stop_requested()) {
      // Without a metrics server there is nothing to tell, and the autoscaler says that a metric is missing.
      const auto list = server.fetch("/apis/metrics.k8s.io/v1beta1/pods");
      if (list) {
        const std::lock_guard held(mutex_);
        latest_ = read_pod_metrics(*list);
      }
      std::unique_lock waiting(idle);
      wake.wait_for(waiting, stop, kPeriod, [] { return false; });
    }
  });
}

std::vector<cluster::PodUsage> RemoteUsage::latest() const {
  const std::lock_guard held(mutex_);
  return latest_;
}

}  // namespace tidegate::cli
