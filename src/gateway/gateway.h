// The gateway as a whole: reads objects from a cluster, compiles them, runs workers, and tells how it is
// doing.
//
//   Gateway gateway(client, config, clock);
//   gateway.start();          // binds the statistics port; listeners follow as Gateways appear
//   ...
//   gateway.drain();          // stop accepting, finish what is under way, end all threads
//
// One control thread compiles (some milliseconds after the last of a burst of changes), writes statuses,
// scrapes engines and answers the statistics port. Workers serve traffic. A change that does not compile
// costs only its own object; a listener that cannot bind gets a condition, a log line and another try every
// few seconds.
//
// Thread: start() and drain() from one thread, once each.

#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "cluster/client.h"
#include "gateway/config.h"
#include "net/address.h"

namespace tidegate::gateway {

// What `tidegate up` and `tidegate gateway` print. `ok` false: something needs a person.
struct Notice {
  bool ok = true;
  std::string text;
};

class Gateway {
 public:
  // `notify` is called on the control thread.
  Gateway(cluster::Client& client, Config config, const Clock& clock,
          std::function<void(const Notice&)> notify);
  ~Gateway();

  // Before start(): takes the listening sockets over from the gateway that serves this Unix socket, which
  // then drains, and offers its own to the next one there. No connection is lost between them.
  void set_handover(std::string path);

  // Errors: kConflict and the like if the statistics port cannot be bound; kInvalid if the access log cannot
  // be opened.
  Result<void> start();
  void drain();

  // Opens the access log anew, for log rotation.
  void reopen_logs();

  // The statistics port as bound.
  net::Address stats_address() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidegate::gateway
