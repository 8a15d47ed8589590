// Placement as a controller: pods without a node get one, or a reason.
//
// It runs at home as the only placer, and against a cluster as a second one: there it takes the pods whose
// spec.schedulerName names it and binds them through the API, as kube-scheduler would.
//
// Thread: runs on its own.

#pragma once

#include <string>
#include <vector>

#include "control/loop/controller.h"
#include "control/placement/views.h"

namespace tidegate::placement {

inline constexpr std::string_view kOwnName = "tidegate";

struct Settings {
  // Values of spec.schedulerName that are placed here; an unset one reads as default-scheduler.
  std::vector<std::string> names = {"default-scheduler", std::string(kOwnName)};
};

std::vector<loop::Controller> controllers(Settings settings = {});

// One round: everything that has to be written now.
loop::Decision decide(const Kinds& kinds, Cluster& cluster, const Settings& settings, WallTime now);

}  // namespace tidegate::placement
