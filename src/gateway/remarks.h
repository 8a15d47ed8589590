// What there is to say about objects beside their status: annotations that cannot be read on objects that
// have no conditions, and what of a picker's configuration means nothing here.
//
// Said once, when it is new: a line in the log and, of problems, an Event of the object. What was mended and
// comes back is new again.
//
// Thread: the control loop's.

#pragma once

#include <memory>
#include <set>
#include <span>
#include <string>

#include "base/clock.h"
#include "cluster/events.h"
#include "gateway/finding.h"

namespace tidegate::gateway {

class Remarks {
 public:
  // Both must outlive this.
  Remarks(cluster::Client& client, const Clock& clock) : client_(client), clock_(clock) {}

  // Everything there is to say now.
  void tell(std::span<const Remark> remarks);

 private:
  cluster::Client& client_;
  const Clock& clock_;
  std::set<std::string> told_;
  std::unique_ptr<cluster::EventRecorder> events_;  // once there is one to write
};

}  // namespace tidegate::gateway
