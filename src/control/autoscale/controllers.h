// This room's controller, ready to be run: HorizontalPodAutoscalers over Deployments, ReplicaSets, and whatever else has a
// scale subresource.
//
// Thread: runs on its own; the functions handed in are called there.

#pragma once

#include <functional>
#include <string>
#include <vector>

#include "control/autoscale/subject.h"
#include "control/loop/controller.h"
#include "resource/scale.h"

namespace tidegate::autoscale {

struct Metrics {
  Gather gather;
  std::function<void(const std::string& key)> forget;  // an HPA is gone
};

// The scale of a target that is neither Deployment nor ReplicaSet; may take as long as a question to the API server.
using ReadScale = std::function<Result<resource::Scale>(const cluster::Reference& target)>;

std::vector<loop::Controller> controllers(Metrics metrics, ReadScale read_scale, Settings settings);

}  // namespace tidegate::autoscale
