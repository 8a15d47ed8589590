// The statistics port: /stats/prometheus (text only), /metrics (negotiated), /healthz, /readyz, /endpoints.
//
// Thread: the control loop's.

#pragma once

#include <functional>

#include "gateway/fleet/fleet.h"
#include "gateway/kvfeed/follower.h"
#include "gateway/publisher.h"
#include "http/server.h"
#include "telemetry/metrics.h"

namespace tidegate::gateway {

// Writes the fleet's families: endpoint health, load as scraped and as we know it, adapters, failed scrapes.
void write_fleet(telemetry::ExpositionWriter& writer, const std::vector<fleet::Fleet::Row>& rows);
void write_prefixes(telemetry::ExpositionWriter& writer, const pick::PrefixIndex& index);

// Writes how many requests each pool holds and queues, by priority.
void write_waiting(telemetry::ExpositionWriter& writer, const WaitingByPool& waiting);

// Answers one request. `ready` says whether a configuration is in force.
net::Task<void> serve_stats(const telemetry::Registry& registry, const fleet::Fleet& fleet,
                            const kvfeed::Follower& follower, const std::function<bool()>& ready,
                            http::Request& request, http::Responder& responder);

}  // namespace tidegate::gateway
