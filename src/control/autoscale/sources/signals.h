// From pages to the numbers that metrics mean: sums, rates, percentiles, values of pods.
//
// Thread: pure.
// Units: as the series are; rates are per second, percentiles in the histogram's unit.

#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "control/autoscale/sources/scraper.h"

namespace tidegate::sources {

// What a metric's name asks of a page. "requests_total_per_second" is the rate of "requests_total",
// "latency_seconds_p95" a percentile of the histogram "latency_seconds"; anything else is a series as it is.
struct Signal {
  enum class Kind { kValue, kRate, kPercentile };
  Kind kind = Kind::kValue;
  std::string series;     // that must be kept of the page: the name, or the histogram's "_bucket"
  double quantile = 0.0;  // kPercentile
};
Signal signal_of(std::string_view metric);

// Which label sets count.
using Accepts = std::function<bool(const Labels&)>;

// One value per label set (kValue, kRate), or one in all (kPercentile). Empty if nothing matches, or if there
// is no second page to compare with yet. Rates and percentiles are of the last half minute.
std::vector<double> values_of(const Signal& signal, const History& history, const Accepts& accepts,
                              WallTime now, Duration stale_after);

// What a page says of one pod.
struct PodName {
  std::string_view namespace_;
  std::string_view name;
};

// The series of `metric` that belong to the pod, as one number; empty if there are none. Series name their
// pod by the labels of DCGM exporters (NamespaceName and PodName, namespace and pod, exported_namespace and
// exported_pod); one that names none belongs to the pod whose own page it is on (`own`).
//
// Series with a UUID are of one GPU each: processes on one GPU add up, GPUs are averaged, so that utilisation
// stays within 0 to 100 whatever the number of GPUs. All other series add up.
std::optional<double> value_of_pod(const Page& page, std::string_view metric, const PodName& pod, bool own,
                                   const Accepts& accepts);

}  // namespace tidegate::sources
