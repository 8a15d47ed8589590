// Stands for election, and says whether this process leads.
//
//   Elector elector(client, clock, Random::from_system(), settings);
//   if (elector.leads()) ...     // ask again and again: it may be over
//   elector.stop();              // when nothing acts any more: the next one may begin
//
// The client should be its own: a renewal must not wait behind other calls. Its calls must end well before
// the renew deadline.
//
// Thread: leads() from any; the rest from one.

#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/random.h"
#include "cluster/client.h"
#include "cluster/events.h"
#include "cluster/signal.h"
#include "control/election/lease.h"

namespace tidegate::election {

class Elector {
 public:
  // Requires: check(settings). Client and clock must outlive it.
  Elector(cluster::Client& client, const Clock& clock, Random random, Settings settings);
  ~Elector() { stop(); }
  Elector(const Elector&) = delete;
  Elector& operator=(const Elector&) = delete;

  // The last renewal is younger than the renew deadline.
  bool leads() const;

  // Gives the Lease back if it is ours.
  void stop();

 private:
  void run(const std::stop_token& stop);
  void attempt();
  void release();
  void write(const Attempt& attempt, TimePoint began);
  void won(const resource::Object& lease, TimePoint began);
  void tell(const std::string& what);
  Duration pause();

  cluster::Client& client_;
  const Clock& clock_;
  Random random_;
  const Settings settings_;
  const resource::Kind& kind_;
  cluster::EventRecorder events_;
  Seen seen_;
  std::string told_;  // so that what has not changed is not said again
  // The moment before the last write that took or renewed it; minus one: it is not ours.
  std::atomic<std::int64_t> renewed_ns_{-1};
  cluster::Signal never_;  // only its end by the stop token counts
  std::jthread thread_;
};

}  // namespace tidegate::election
