// Which pages an object's metrics are on.
//
// Thread: pure.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/autoscale/sources/scraper.h"
#include "resource/horizontal_pod_autoscaler.h"
#include "resource/object.h"

namespace tidegate::sources {

// A pod's metrics page: annotations prometheus.io/port, prometheus.io/path and prometheus.io/scheme (https),
// else its port named "metrics", else its first port. Empty while it has no address or no port.
std::optional<Target> page_of_pod(const resource::Object& pod, std::uint16_t default_port = 0);

// The query of an External or Object metric.
std::string query_of(const resource::HorizontalPodAutoscaler& hpa, const resource::MetricSpec& metric);
Target query_target(std::string_view prometheus, std::string_view query);

}  // namespace tidegate::sources
