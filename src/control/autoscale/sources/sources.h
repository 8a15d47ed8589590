// Where the numbers of HorizontalPodAutoscalers come from.
//
//   Pods                 each pod's own metrics page, and the pages of DCGM exporters, whose series name pods
//   Resource, Container  usage as the machines measure it (metrics.k8s.io)
//   Object, External     the gateway's statistics page; Prometheus where the object or an option names one
//   demand               the gateway's requests in flight, queued and held; engines' own running and waiting
//
// A page is read in the background at a pace that fits the object's period; gather() takes what is there.
// What is older than three such paces is missing.
//
// Thread: gather() and forget() belong to one thread.
// Source: reference elastic.md sections 7 and 8.

#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cluster/kubelet.h"
#include "control/autoscale/capacity.h"
#include "control/autoscale/sources/scraper.h"
#include "control/autoscale/subject.h"

namespace tidegate::sources {

// Annotations of a HorizontalPodAutoscaler: where Prometheus is, and the query of one External metric:
// "tidegate.dev/query.<metric>". Without one the query is the sum of the series of that name and selector.
inline constexpr std::string_view kPrometheusAnnotation = "tidegate.dev/prometheus";
inline constexpr std::string_view kQueryAnnotation = "tidegate.dev/query.";

// What the gateway's page calls them; all by pool ("namespace/name").
inline constexpr std::string_view kInFlight = "tidegate_endpoint_in_flight";     // and by endpoint
inline constexpr std::string_view kQueuedRequests = "tidegate_queued_requests";  // wait for a place
inline constexpr std::string_view kHeldRequests = "tidegate_held_requests";      // wait for an endpoint

struct Options {
  std::vector<std::string> gateways;  // "127.0.0.1:15090": statistics ports
  std::string prometheus;             // "10.0.0.9:9090"; empty: none but what objects name
};

class Sources {
 public:
  // `usage` gives what the machines measured; may be empty. The clock outlives this.
  Sources(Options options, std::function<std::vector<cluster::PodUsage>()> usage, const Clock& clock);

  autoscale::Gathered gather(const autoscale::Subject& subject, WallTime now);

  // The HPA of this key is gone.
  void forget(const std::string& key);

 private:
  struct Pace {
    Duration period;
    Duration stale_after;
  };
  struct Learned {
    autoscale::CapacityModel model;
    std::map<std::string, WallTime> seen;  // by pod: the page learned from last
  };

  void want(const autoscale::Subject& subject, const Pace& pace);
  autoscale::Reading read(const autoscale::Subject& subject, const resource::MetricSpec& metric,
                          const Pace& pace, WallTime now);
  autoscale::Reading read_pods(const autoscale::Subject& subject, const resource::MetricSpec& metric,
                               const Pace& pace, WallTime now);
  autoscale::Reading read_usage(const autoscale::Subject& subject, const resource::MetricSpec& metric,
                                WallTime now);
  autoscale::Reading read_values(const autoscale::Subject& subject, const resource::MetricSpec& metric,
                                 const Pace& pace, WallTime now);
  autoscale::DemandReading read_demand(const autoscale::Subject& subject, const Pace& pace, WallTime now);

  const Options options_;
  const std::function<std::vector<cluster::PodUsage>()> usage_;
  Scraper scraper_;
  std::map<std::string, std::map<Target, Want>> wanted_;
  std::map<std::string, Learned> learned_;
};

}  // namespace tidegate::sources
