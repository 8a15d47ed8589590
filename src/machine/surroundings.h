// What the parts of one machine share. Outlives them.

#pragma once

#include <functional>

#include "base/clock.h"
#include "cluster/client.h"
#include "cluster/events.h"
#include "machine/launch.h"
#include "machine/machine.h"
#include "machine/worker.h"
#include "net/loop.h"
#include "net/task.h"

namespace tidegate::machine {

struct Surroundings {
  net::Loop& loop;
  net::TaskGroup& tasks;
  Worker& worker;
  cluster::Client& client;
  cluster::EventRecorder& events;
  const Clock& clock;
  const MachineOptions& options;
  const HomePaths& home;
  const ImageMap& images;
  std::function<void(Notice)> notify;
};

}  // namespace tidegate::machine
