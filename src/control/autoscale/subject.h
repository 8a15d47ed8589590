// What a source of metrics is asked, and what it answers: the seam between deciding and reading.
//
// Thread: values; a Gather is called on the controller's thread and must not block on the network.

#pragma once

#include <functional>
#include <string>
#include <vector>

#include "control/autoscale/demand.h"
#include "control/autoscale/state.h"
#include "resource/object.h"

namespace tidegate::autoscale {

struct Subject {
  std::string key;  // "namespace/name" of the HPA
  const resource::HorizontalPodAutoscaler& hpa;
  const Rule& rule;
  const std::vector<resource::ObjectPtr>& pods;       // that the target's selector matches
  const std::vector<resource::ObjectPtr>& exporters;  // pods of DCGM exporters, of any namespace
  std::vector<std::string> pools;  // "namespace/name" of InferencePools and Services that mean these pods
};

struct Gathered {
  std::vector<Reading> readings;  // one per metric of the HPA, in order
  std::optional<DemandReading> demand;
};

// What is known now. Called every period of every HPA; what it does not know yet it reads until the next
// time.
using Gather = std::function<Gathered(const Subject& subject, WallTime now)>;

}  // namespace tidegate::autoscale
