#include "gateway/holding.h"

#include <algorithm>
#include <optional>
#include <string>

#include "gateway/config.h"
#include "resource/horizontal_pod_autoscaler.h"
#include "resource/inference_pool.h"
#include "resource/workload.h"

namespace tidegate::gateway {
namespace {

// Pods that may be scaled from zero.
struct Sleeper {
  std::string namespace_;
  resource::Labels pod_labels;
};

std::vector<Sleeper> sleepers(const Inputs& inputs) {
  std::vector<Sleeper> found;
  for (const ObjectPtr& object : inputs.autoscalers) {
    const auto hpa = resource::HorizontalPodAutoscaler::from(*object);
    if (!hpa || hpa->min_replicas != 0 || hpa->target.kind != "Deployment") continue;
    for (const ObjectPtr& target : inputs.deployments) {
      if (target->namespace_() != object->namespace_() || target->name() != hpa->target.name) continue;
      const auto deployment = resource::Deployment::from(*target);
      if (deployment) found.push_back({target->namespace_(), deployment->pods.labels});
    }
  }
  return found;
}

bool wakes(const std::vector<Sleeper>& sleepers, const ObjectPtr& object, const resource::Labels& selector) {
  return std::ranges::any_of(sleepers, [&](const Sleeper& sleeper) {
    return sleeper.namespace_ == object->namespace_() && resource::selects(selector, sleeper.pod_labels);
  });
}

// Empty if the object says nothing. Within: how long; zero for as long as the configuration says.
struct Said {
  bool holds;
  Duration timeout;
};
std::optional<Said> said_by(const ObjectPtr& object, std::vector<Remark>& remarks) {
  const auto& annotations = object->metadata().annotations;
  const auto found = annotations.find(std::string(kHoldAnnotation));
  if (found == annotations.end()) return std::nullopt;
  if (found->second == "true") return Said{true, Duration::zero()};
  if (found->second == "false") return Said{false, Duration::zero()};
  const Result<Duration> timeout = parse_duration(found->second);
  if (!timeout || *timeout <= Duration::zero()) {
    remarks.push_back(
        {object, "annotation " + std::string(kHoldAnnotation) +
                     " is neither true nor false nor a time such as 5m; it counts as not written"});
    return std::nullopt;
  }
  return Said{true, *timeout};
}

}  // namespace

void mark_holding(const Inputs& inputs, std::vector<Pool>& pools, std::vector<Remark>& remarks) {
  const std::vector<Sleeper> asleep = sleepers(inputs);
  const auto mark = [&](Pool& pool, const ObjectPtr& object, const resource::Labels& selector) {
    const std::optional<Said> said = said_by(object, remarks);
    pool.holds = said ? said->holds : wakes(asleep, object, selector);
    if (said) pool.hold_timeout = said->timeout;
    if (pool.tls && !pool.tls->problem.empty()) pool.holds = false;  // none of those that come may be used
  };
  for (Pool& pool : pools) {
    const ObjectPtr object = object_of(inputs, pool);
    if (!object || !pool.enabled) continue;
    if (pool.kind == Pool::kService) {
      if (const auto service = resource::Service::from(*object)) mark(pool, object, service->selector);
    } else if (const auto spec = resource::InferencePool::from(*object)) {
      mark(pool, object, spec->selector);
    }
  }
}

}  // namespace tidegate::gateway
