// What a tide costs at the least: an oracle knows the load, and in each phase has as many replicas as serve it
// in time, from its first second to its last.
//
// How much a number of replicas serves is found by playing: the highest steady rate at which nearly all first
// tokens come within the target.
//
// Thread: one thread.

#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "simulate/scenario.h"
#include "simulate/shapes.h"

namespace tidegate::simulate {

class Oracle {
 public:
  // GPU hours over these phases, with replicas of one GPU within the scaler's min and max.
  double gpu_hours(const Scenario& scenario, std::span<const Phase> phases);

 private:
  double rate_of(const Scenario& scenario, std::int64_t replicas);

  std::map<std::pair<std::string, std::int64_t>, double> rates_;  // by profile and replicas
};

}  // namespace tidegate::simulate
