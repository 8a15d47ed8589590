// Clients that each keep one request under way until told to stop.
//
// Thread: made, asked and stopped by one thread; the clients run on a thread of their own.

#pragma once

#include <map>
#include <memory>
#include <string>

#include "cli/bench_client.h"
#include "cli/tide/scene.h"

namespace tidegate::cli {

class TideLoad {
 public:
  TideLoad(BenchRequest request, std::size_t clients);
  ~TideLoad();

  tide::Traffic traffic() const;
  // What failed requests said, and how often each.
  std::map<std::string, std::size_t> failures() const;

  // No new requests; returns when those under way are answered.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidegate::cli
