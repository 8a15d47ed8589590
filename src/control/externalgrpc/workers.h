// Speaks to the services of all pools, each on a thread of its own, so that a slow one keeps nobody waiting.
//
//   workers.keep({{"gpu", {service, refresh}}});
//   workers.order("gpu", {.grow = 1}, now);    // taken up at once, unless a turn is under way
//   again_in = workers.look(strangers, now);   // reads what has not been read for `refresh`
//   workers.views()                            // what is known
//
// Thread: all of it from one thread.

#pragma once

#include <memory>

#include "control/externalgrpc/module.h"

namespace tidegate::externalgrpc {

struct Setting {
  Service service;
  Duration refresh = std::chrono::seconds(10);

  bool operator==(const Setting&) const = default;
};

class Workers {
 public:
  // Null: load_module(), when a pool first needs it.
  explicit Workers(const Module* module = nullptr);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // One worker per pool, begun anew where its setting is another one.
  void keep(const std::map<std::string, Setting>& pools);
  // Starts turns that are due. Returns when the next one is, or is to be looked at.
  std::optional<Duration> look(const std::vector<Node>& strangers, WallTime now);
  void order(const std::string& pool, Order order, WallTime now);
  std::map<std::string, View> views() const;

 private:
  class Worker;

  const Module* module_;
  std::string missing_;  // why there is no module
  std::map<std::string, std::unique_ptr<Worker>> workers_;
};

}  // namespace tidegate::externalgrpc
