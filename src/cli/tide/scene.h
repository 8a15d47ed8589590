// What can be seen of a service and its machines at one moment, read from API objects, and as text for
// people.
//
// Thread: pure.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "resource/object.h"

namespace tidegate::tide {

struct SeenPod {
  std::string name;
  std::string pool;   // of its node; empty while it has none
  std::string state;  // "Ready", "Starting", "Pending", "Terminating"
  std::string waits;  // why it has no node
};

struct SeenPool {
  std::string name;
  bool rented = false;  // its machines come and go
  std::int64_t ready = 0, booting = 0, leaving = 0, max = 0;
  double cost_per_hour = 0;
};

struct Traffic {
  double requests_per_s = 0;
  std::uint64_t answered = 0, failed = 0;
};

struct Scene {
  double at_s = 0;  // since the load began; negative before
  std::vector<SeenPool> pools;
  std::vector<SeenPod> pods;
  std::int64_t wanted = 0;                  // replicas
  std::string metric, utilization, target;  // "" while unknown
  Traffic traffic;

  std::int64_t pods_in(const char* state) const;
  std::int64_t ready_rented() const;  // pods ready on machines that are rented
  std::int64_t rented_machines() const;
  double cost_per_hour() const;
};

// The objects that a scene is read from.
struct Objects {
  std::vector<resource::ObjectPtr> pools, nodes, pods;  // pods: those of the service
  resource::ObjectPtr deployment, autoscaler;           // null if there is none
};
Scene scene_of(const Objects& objects, double at_s, const Traffic& traffic);

// A block of lines for a terminal that is drawn over and over.
std::string block_text(const Scene& scene, const std::string& title);
// One line, without what changes all the time: printed where it differs from the last.
std::string line_text(const Scene& scene);

}  // namespace tidegate::tide
