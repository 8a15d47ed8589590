// The tide as one set of numbers: machines that are owned and come first, machines that are rented after
// them, and the policy that says so.
//
// Thread: values.

#pragma once

#include <cstdint>

#include "simulate/scaler.h"
#include "simulate/world.h"

namespace tidegate::simulate {

inline constexpr const char* kOwnedPool = "on-premises";
inline constexpr const char* kRentedPool = "cloud";

struct Scenario {
  EngineSpec engine;
  Scaler scaler;
  std::int64_t start = 0;    // replicas at the beginning, as if they had been there; 0: the least
  std::int64_t owned = 1;    // machines on premises
  std::int64_t rented = 99;  // machines in the cloud, at most
  std::int64_t gpus_per_machine = 1;
  double price_per_hour = 1;  // of a machine in the cloud
  Duration boot = std::chrono::minutes(2);
  Duration load_time = std::chrono::seconds(60);
  std::uint64_t seed = 1;

  WorldSpec world() const;
};

}  // namespace tidegate::simulate
