// This room's controller, ready to be run: HorizontalPodAutoscalers over Deployments and ReplicaSets.
//
// Thread: runs on its own; the functions handed in are called there.

#pragma once

#include <functional>
#include <string>
#include <vector>

#include "control/autoscale/subject.h"
#include "control/loop/controller.h"

namespace tidegate::autoscale {

struct Metrics {
  Gather gather;
  std::function<void(const std::string& key)> forget;  // an HPA is gone
};

std::vector<loop::Controller> controllers(Metrics metrics, Settings settings);

}  // namespace tidegate::autoscale
