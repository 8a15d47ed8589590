// What a run tells of itself: for timelines that people read and for tests that keep accounts of their own.
//
// Thread: values.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"

namespace tidegate::simulate {

struct Happening {
  enum class What : std::uint8_t {
    kScaled,        // replicas: `from` -> `to`
    kPodMade,       // subject: pod
    kPodBound,      // subject: pod, where: node
    kPodReady,      //
    kPodLeaves,     // takes nothing new, finishes its streams
    kPodGone,       //
    kMachineAsked,  // subject: machine, where: pool
    kNodeJoined,    // subject: node, where: pool
    kNodeCordoned,  //
    kMachineGone,   //
  };
  TimePoint at;
  What what;
  std::string subject;
  std::string where;
  std::int64_t from = 0;
  std::int64_t to = 0;
};

class Chronicle {
 public:
  void add(Happening happening) { all_.push_back(std::move(happening)); }
  const std::vector<Happening>& all() const { return all_; }

 private:
  std::vector<Happening> all_;
};

}  // namespace tidegate::simulate
