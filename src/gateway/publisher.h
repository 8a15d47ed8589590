// From a snapshot and the fleet to what the workers use: pure assembling.
//
// Thread: any; the results are immutable.

#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gateway/endpoint_tls.h"
#include "gateway/fleet/fleet.h"
#include "gateway/kvfeed/follower.h"
#include "gateway/view.h"

namespace tidegate::gateway {

// The endpoints that the fleet should watch for this snapshot.
std::vector<fleet::Wanted> wanted_by(const Snapshot& snapshot, EndpointClients& clients);

// The endpoints whose KV events should be followed.
std::vector<kvfeed::Source> told_by(const Snapshot& snapshot, const fleet::Fleet& fleet,
                                    const pick::Settings& picking);

// What is kept of each pool's waiting requests from view to view, by the pool's id.
struct Waiting {
  std::string name;  // "namespace/name", for labels
  std::shared_ptr<flow::Cell> cell;
};
using WaitingByPool = std::map<std::string, Waiting>;

// Those of this snapshot's pools: kept where they were there before, made where they were not.
WaitingByPool waiting_of(const Snapshot& snapshot, const WaitingByPool& before, std::size_t workers);

// Live endpoints, served names and the model list for each pool; `picking` holds where a pool says nothing.
View view_of(std::shared_ptr<const Snapshot> snapshot, const fleet::Fleet& fleet,
             const pick::Settings& picking, const WaitingByPool& waiting);

}  // namespace tidegate::gateway
