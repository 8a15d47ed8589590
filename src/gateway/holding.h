// Which pools wait for their first endpoint instead of refusing: those that somebody will scale from zero.
//
// A pool holds if it says so (annotation tidegate.dev/hold), or if a HorizontalPodAutoscaler with minReplicas
// 0 scales the Deployment whose pods it selects.
//
// Thread: pure.

#pragma once

#include <string_view>
#include <vector>

#include "gateway/pools.h"
#include "gateway/snapshot.h"

namespace tidegate::gateway {

// On an InferencePool or a Service: "true", "false", or how long at most, such as "5m". What cannot be read
// counts as not written, with a remark.
inline constexpr std::string_view kHoldAnnotation = "tidegate.dev/hold";

void mark_holding(const Inputs& inputs, std::vector<Pool>& pools, std::vector<Remark>& remarks);

}  // namespace tidegate::gateway
